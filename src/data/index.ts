/** Medical questions: records, readers, answers, splits, prompts, statistics, and the phantom dataset. */
export {
  type AnswerOptions,
  answerIn,
  countTags,
  type FoundAnswer,
  matchOption,
  statedAnswer,
} from './answer.js';
export { type Box, boxesIn, boxesIou, iou } from './answers/boxes.js';
export {
  answerText,
  type Gradable,
  type Grade,
  gradeAnswer,
  SCORES,
  type ScoreName,
  type Scores,
} from './answers/grade.js';
export {
  ANSWER_KINDS,
  type AnswerKind,
  type OpenAnswer,
  referenceTexts,
  writtenAnswer,
} from './answers/open.js';
export { bleu, rougeL, tokenF1 } from './answers/words.js';
export { type Asked, asked } from './asked.js';
export { type Conversation, isConversation } from './conversation.js';
export { type Dataset, loadDataset, type ReadOptions, readDataset } from './dataset.js';
export { DataError, type Place } from './errors.js';
export { identifyingFields } from './identifying.js';
export { imageFile, imageKey, imageName, pathProblem, pictureOf, withPictures } from './images.js';
export * from './modalities.js';
export { shuffleOptions } from './options.js';
export { type PaperReading, paperAccuracy, paperAnswer, paperFormat, paperRewardText } from './paper.js';
export * from './prompts.js';
export * from './question.js';
export { Random } from './random.js';
export { MMMU_MEDICAL } from './readers/benchmarks.js';
export { type Sample, SCHEMAS, type Schema } from './readers/schemas.js';
export { checkDataFields, type DataConfig, dataFields } from './run-fields.js';
export { loadTrainingData, type TrainingData } from './run-samples.js';
export { type Filter, questionsOf, select } from './select.js';
export {
  type Leakage,
  leakage,
  type Split,
  type SplitOptions,
  splitByImage,
  withoutLeaked,
} from './split.js';
export {
  type DatasetStats,
  datasetStats,
  groupBy,
  guessing,
  type QuestionStats,
  questionStats,
  UNKNOWN,
} from './stats.js';
export { questionLine, questionRecord, questionsToParquet } from './write.js';
