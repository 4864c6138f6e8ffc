/** Settings that all sources of candidates share. */

import { promptTemplate, type questionPrompt } from '../data/index.js';

/** What a source is told. */
export interface PromptSettings {
  /** Words of the prompt, with `{Question}` in them. */
  readonly template: string;
  readonly system?: string;
}

/** How candidates are drawn. */
export interface SamplingSettings {
  readonly temperature: number;
  readonly topP: number;
  readonly maxNewTokens: number;
  readonly seed: number;
  /** Candidates per question. */
  readonly samples: number;
}

/** The template of {@link PromptSettings} that the command has by default. */
export const DEFAULT_TEMPLATE = promptTemplate('think', 'train');

/** The words of a prompt: those of the default depend on the kind of answer that a question wants. */
export function promptWords({ template }: PromptSettings): Parameters<typeof questionPrompt>[1] {
  return template === DEFAULT_TEMPLATE ? { style: 'think', phase: 'train' } : template;
}

/** The settings as each record's provenance has them. */
export function recorded(settings: PromptSettings & SamplingSettings) {
  const { template, system, temperature, topP, maxNewTokens, seed } = settings;
  return {
    template,
    ...(system !== undefined && { system }),
    temperature,
    top_p: topP,
    max_new_tokens: maxNewTokens,
    seed,
  };
}
