/** Decodes pictures for `vision/budget.ts`, which says why that needs a helper. */
import { answerRequests } from '../platform/node/helper-child.js';
import '../platform/node/install.js';
import { answerPictureRequest, type PictureRequest } from '../vision/work.js';

/** The largest pictures that may be decoded, 179 megapixels of four channels with 16 bits, take 2700. */
const MEGABYTES = 4096;

answerRequests((request) => answerPictureRequest(request as PictureRequest), MEGABYTES);
