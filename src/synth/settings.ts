/** Settings that all sources of candidates share. */

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
