/** The reward for the form that the prompt asks for. */
import { z } from 'zod';
import { type AnswerStyle, countTags, paperFormat } from '../../data/index.js';
import { entrySchema, type Refuse, type RewardContext, type RewardKind } from './kind.js';
import { modeField, type RewardMode } from './modes.js';
import type { RewardResult, RewardSample } from './reward.js';

/** The order of reasoning and answer that a format reward wants. */
export type RewardStyle = Exclude<AnswerStyle, 'zero-shot'>;

const schema = entrySchema('format', {
  mode: modeField,
  /** The order that is wanted; that of `answer_style` by default. */
  style: z.enum(['think', 'no-think', 'think-after']).nullable().default(null),
});

/** See {@link format}. */
export const formatReward: RewardKind<z.output<typeof schema>> = {
  name: 'format',
  schema,
  judge: (entry, context, refuse) => {
    const style = styleOf(entry, context, refuse);
    return (sample) => format(sample, entry.mode, style);
  },
};

function styleOf(entry: z.output<typeof schema>, { style }: RewardContext, refuse: Refuse): RewardStyle {
  const wanted = entry.style ?? style;
  if (wanted === 'custom' || wanted === 'zero-shot') {
    return refuse(
      'style',
      `is missing, and answer_style ${wanted} asks for no tags; name one of think, no-think, think-after`,
    );
  }
  if (wanted === 'think-after' && entry.mode === ('paper' satisfies RewardMode)) {
    return refuse('mode', 'is paper, but the paper published no format for think-after; use robust');
  }
  return wanted;
}

/**
 * 1 for the form that the prompt asks for. `paper` is Med-R1's expression, which many tag pairs satisfy; `robust` wants
 * each tag exactly once, whatever its case, reasoning and answer that are not empty, and nothing outside of the tags.
 */
export function format({ completion }: RewardSample, mode: RewardMode, style: RewardStyle): RewardResult {
  if (mode === 'paper' && style !== 'think-after') {
    const value = paperFormat(completion, style);
    return { value, reason: value === 1 ? `is ${style}` : `is not ${style}` };
  }
  const tags = style === 'no-think' ? (['answer'] as const) : (['think', 'answer'] as const);
  for (const tag of tags) {
    const { open, close } = countTags(completion, tag);
    if (open !== 1 || close !== 1) return { value: 0, reason: `${open} <${tag}> and ${close} </${tag}>` };
  }
  if (style === 'no-think' && /<\/?think>/i.test(completion)) return { value: 0, reason: 'has think tags' };
  const inside = FORMS[style].exec(completion);
  if (!inside) return { value: 0, reason: 'text outside of the tags, or tags in another order' };
  const empty = inside.slice(1).some((text) => text.trim() === '');
  return empty ? { value: 0, reason: 'empty tags' } : { value: 1, reason: `is ${style}` };
}

const THINK = '<think>([\\s\\S]*)</think>';
const ANSWER = '<answer>([\\s\\S]*)</answer>';
const FORMS: Readonly<Record<RewardStyle, RegExp>> = {
  think: new RegExp(`^\\s*${THINK}\\s*${ANSWER}\\s*$`, 'i'),
  'no-think': new RegExp(`^\\s*${ANSWER}\\s*$`, 'i'),
  'think-after': new RegExp(`^\\s*${ANSWER}\\s*${THINK}\\s*$`, 'i'),
};
