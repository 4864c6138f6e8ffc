/** The page's script and style, as `npm run build` bundled them. */
import { folderReader } from '../platform/files.js';
import type { PageAssets } from './page-html.js';

/** Loads the bundle from dist/, where it is whether this file runs from src/ or from dist/. */
export async function loadPageAssets(): Promise<PageAssets> {
  const folder = decodeURIComponent(new URL('../../dist/report/page', import.meta.url).pathname);
  // On Windows the path of a file URL begins with a slash before the drive.
  const read = folderReader(folder.replace(/^\/(?=[A-Za-z]:)/, ''));
  const [script, style] = await Promise.all([read('page.js'), read('page.css')]);
  if (script === undefined || style === undefined) {
    throw new Error(
      `the report's page is not built: ${folder} has no page.js and page.css; run npm run build`,
    );
  }
  const decoder = new TextDecoder();
  return { script: decoder.decode(script), style: decoder.decode(style) };
}
