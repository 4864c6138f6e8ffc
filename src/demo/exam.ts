/** Examining a checkpoint on the pictures kept for it. */
import { evaluateModel } from '../eval/evaluate.js';
import { writeEvaluation } from '../eval/files.js';
import { wilsonInterval } from '../eval/statistics.js';
import type { Prediction } from '../eval/summary.js';
import { Generator, loadStopIds } from '../generate/index.js';
import type { Gpu } from '../gpu/index.js';
import { loadConfig, loadModel } from '../models/index.js';
import { loadProcessor, PromptEncoder } from '../models/processor/index.js';
import type { DemoData } from './data.js';
import type { Wording } from './readers.js';

/** Right answers among questions, with the ends of a 95% interval. */
export interface Score {
  readonly accuracy: number;
  readonly low: number;
  readonly high: number;
}

/** A checkpoint's scores. */
export interface Scores {
  /** On new pictures of the modalities that were trained on. */
  readonly trained: Score;
  /** On the modality that was held out. */
  readonly heldOut: Score;
}

/** A finished examination. */
export interface Exam extends Scores {
  /** Writes all answers, as `osler eval` does. */
  write(dir: string): Promise<void>;
}

/** Lets a checkpoint answer all questions, greedily. */
export async function examine(gpu: Gpu, model: string, data: DemoData, wording: Wording): Promise<Exam> {
  const config = await loadConfig(model);
  const processor = await loadProcessor(model, config);
  const stopIds = await loadStopIds(model, config, processor.tokenizer);
  const policy = await loadModel(gpu, model);
  const generator = new Generator(policy, { tokenizer: processor.tokenizer, maxBatch: 64, stopIds });
  try {
    const questions = [...data.test, ...data.heldOut];
    const evaluation = await evaluateModel(
      { generator, encoder: new PromptEncoder(config, processor) },
      questions,
      {
        ...wording,
        maxNewTokens: 64,
      },
    );
    const { predictions } = evaluation;
    return {
      trained: score(predictions.slice(0, data.test.length)),
      heldOut: score(predictions.slice(data.test.length)),
      write: async (dir) => {
        await writeEvaluation(dir, evaluation, { model, data: 'phantom', skipped: 0 });
      },
    };
  } finally {
    await generator.dispose();
    policy.dispose();
  }
}

function score(predictions: readonly Prediction[]): Score {
  const right = predictions.filter(({ correct }) => correct).length;
  return { accuracy: right / predictions.length, ...wilsonInterval(right, predictions.length) };
}
