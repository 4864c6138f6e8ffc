/** From samples to token ids with a mask of what is learned. */
import {
  type Conversation,
  DataError,
  isConversation,
  type Sample,
  sampleName,
  teachingConversation,
  withPictures,
} from '../data/index.js';
import type { ModelConfig } from '../models/index.js';
import { type EncodedLesson, isTooLong, type PromptEncoder, readAll } from '../models/processor/index.js';
import { TextError } from '../text/index.js';
import type { SftConfig } from './config.js';

/** Something to learn: one conversation. */
export type Example = EncodedLesson;

/** What {@link buildExamples} needs to know. */
export interface ExampleSetting {
  readonly config: Pick<
    SftConfig,
    'answer_style' | 'prompt_template' | 'system_prompt' | 'learn_from' | 'max_length' | 'overlong'
  >;
  readonly model: ModelConfig;
  readonly encoder: PromptEncoder;
  note(line: string): void;
}

/** Encodes samples. What cannot be used is left out and told of, or refused where the config says so. */
export async function buildExamples(samples: readonly Sample[], setting: ExampleSetting): Promise<Example[]> {
  const { config, note } = setting;
  const results = await readAll(samples, (sample) => example(sample, setting), note);
  const examples = results.filter((result) => typeof result !== 'string');
  const count = (why: LeftOut) => results.filter((result) => result === why).length;
  const [unreasoned, dropped] = [count('no reasoning'), count('too long')];
  if (unreasoned > 0) {
    note(
      `${unreasoned} of ${samples.length} questions have no reasoning to teach with answer_style ${config.answer_style} and are left out`,
    );
  }
  if (dropped > 0)
    note(
      `${dropped} of ${samples.length} examples are longer than max_length ${config.max_length} and are left out`,
    );
  if (examples.length === 0) {
    const reasons =
      unreasoned > 0 ? 'give the questions a "reasoning", or set answer_style: no-think' : 'raise max_length';
    throw new DataError({ file: 'the data' }, `has no example to learn from; ${reasons}`);
  }
  return examples;
}

/** Why a sample gives no example. */
type LeftOut = 'no reasoning' | 'too long';

async function example(sample: Sample, setting: ExampleSetting): Promise<Example | LeftOut> {
  const { config, encoder } = setting;
  const conversation = asConversation(sample, config);
  if (conversation === undefined) return 'no reasoning';
  const name = sampleName(conversation);
  const lesson = await encoder.lesson(withPictures(conversation, conversation.messages), {
    name,
    learn: config.learn_from,
    // Where there is a limit, it decides.
    ...(config.max_length === null ? { room: { tokens: 0, fix: 'set max_length' } } : {}),
  });
  return withinLength(lesson, setting, name) ?? 'too long';
}

function asConversation(sample: Sample, config: ExampleSetting['config']): Conversation | undefined {
  if (isConversation(sample)) return sample;
  return teachingConversation(sample, config.answer_style, {
    system: config.system_prompt ?? undefined,
    template: config.prompt_template ?? undefined,
  });
}

/** Cuts or drops what is too long. */
function withinLength(
  example: Example,
  { config, model }: ExampleSetting,
  name: string,
): Example | undefined {
  const { max_length: most, overlong } = config;
  const { ids, mask } = example;
  const limit = { field: 'max_length', tokens: most, refuse: overlong === 'error' };
  const fix = 'raise it, or set overlong: drop';
  if (most === null || !isTooLong(ids.length, { ...limit, fix }, name)) return example;
  if (overlong === 'drop') return undefined;
  const refuse = (problem: string, remedy: string): never => {
    throw new TextError(
      name,
      `has ${ids.length} tokens, more than max_length ${most}, and cutting it would ${problem}; raise max_length, ${remedy}`,
    );
  };
  const { image, visionEnd } = model.tokens;
  if (ids.subarray(most - 1).some((id) => id === image || id === visionEnd)) {
    refuse('cut an image', 'lower max_pixels, or set overlong: drop');
  }
  const cut = { ...example, ids: ids.slice(0, most), mask: mask.slice(0, most) };
  if (!cut.mask.includes(1)) refuse('leave no answer to learn', 'or set overlong: drop');
  return cut;
}
