/** Decodes pictures for `vision/budget.ts`, which says why that needs a helper. */
import { answerRequests } from '../platform/node/helper-child.js';
import '../platform/node/install.js';
import { answerPictureRequest, type PictureRequest } from '../vision/work.js';

answerRequests((request) => answerPictureRequest(request as PictureRequest));
