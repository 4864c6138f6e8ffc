/** Node as a platform. */
import type { Platform } from '../current.js';
import { nodeCards } from './cards/index.js';
import { nodeFiles } from './files.js';
import { nodeHelpers } from './helper.js';
import { parquetRows } from './parquet.js';
import { sharpPictures } from './pictures.js';

/** What Node offers the engine. */
export const nodePlatform: Platform = {
  files: nodeFiles,
  pictures: sharpPictures,
  tables: { rows: parquetRows },
  helpers: nodeHelpers,
  cards: nodeCards,
};
