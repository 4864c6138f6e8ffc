/** Medical questions: records, readers, splits, prompts, statistics, and the phantom dataset. */
export { type Conversation, isConversation } from './conversation.js';
export { type Dataset, loadDataset, type ReadOptions, readDataset } from './dataset.js';
export { DataError, type Place } from './errors.js';
export { imageFile, imageKey, imageName, pathProblem } from './images.js';
export * from './modalities.js';
export * from './question.js';
export { Random } from './random.js';
export { type Sample, SCHEMAS, type Schema } from './readers/schemas.js';
