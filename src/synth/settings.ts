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
