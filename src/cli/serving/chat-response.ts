/** Answers of the chat completions API, whole or in pieces. */
import { randomUUID } from 'node:crypto';
import type { Completion, FinishReason, TokenEvent } from '../../generate/index.js';
import type { Vocabulary } from '../../text/index.js';

/** What all answers to one request share. */
export interface AnswerContext {
  readonly id: string;
  readonly created: number;
  readonly model: string;
  readonly tokenizer: Vocabulary;
  readonly logprobs: boolean;
  readonly promptTokens: number;
}

/** Begins an answer. */
export function answerContext(given: Omit<AnswerContext, 'id' | 'created'>): AnswerContext {
  return { ...given, id: `chatcmpl-${randomUUID()}`, created: Math.floor(Date.now() / 1000) };
}

/** The answer in one piece. */
export function wholeAnswer(context: AnswerContext, completions: readonly Completion[]): object {
  return {
    ...head(context, 'chat.completion'),
    choices: completions.map(({ sample, text = '', tokenIds, logprobs, finishReason }) => ({
      index: sample,
      message: { role: 'assistant', content: text, refusal: null },
      logprobs: context.logprobs
        ? { content: tokenIds.map((id, i) => token(context, id, logprobs[i])) }
        : null,
      finish_reason: finishName(finishReason),
    })),
    usage: usage(context, completions),
  };
}

/** The pieces that a token gives: who speaks before the first, its text, and after the last why it was the last. */
export function tokenPieces(context: AnswerContext, event: TokenEvent): object[] {
  const { sample, index, text, tokenId, logprob, finishReason } = event;
  const piece = (delta: object, rest: object = {}) => ({
    ...head(context, 'chat.completion.chunk'),
    choices: [{ index: sample, delta, logprobs: null, finish_reason: null, ...rest }],
  });
  const logprobs = context.logprobs ? { logprobs: { content: [token(context, tokenId, logprob)] } } : {};
  return [
    ...(index === 0 ? [piece({ role: 'assistant', content: '' })] : []),
    ...(text !== '' || context.logprobs ? [piece({ content: text }, logprobs)] : []),
    ...(finishReason ? [piece({}, { finish_reason: finishName(finishReason) })] : []),
  ];
}

/** The piece that ends a stream whose client asked for it. */
export function usagePiece(context: AnswerContext, completions: readonly Completion[]): object {
  return { ...head(context, 'chat.completion.chunk'), choices: [], usage: usage(context, completions) };
}

function head({ id, created, model }: AnswerContext, object: string) {
  return { id, object, created, model };
}

function usage({ promptTokens }: AnswerContext, completions: readonly Completion[]) {
  const completionTokens = completions.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

function token({ tokenizer }: AnswerContext, id: number, logprob: number) {
  const bytes = [...tokenizer.tokenBytes(id)];
  return { token: tokenizer.decode([id]), logprob, bytes, top_logprobs: [] };
}

/** The API knows no cancelled answers: nobody is there to read one. */
function finishName(reason: FinishReason): 'stop' | 'length' {
  return reason === 'length' ? 'length' : 'stop';
}
