/** The reward that another model gives: a verdict of yes or no. */
import { z } from 'zod';
import { answerText, type Question } from '../../data/index.js';
import { ChatClient } from '../../endpoint/chat.js';
import { NO_ANSWER, questionOf } from './choice.js';
import { endpointFields, endpointJudge } from './endpoint-fields.js';
import { entrySchema, type RewardKind } from './kind.js';
import type { RewardResult } from './reward.js';

const PROMPT =
  'You judge answers to medical questions.\n\nQuestion: {Question}\nReference answer: {Reference}\nAnswer to judge: {Answer}\n\n' +
  'Does the answer mean the same as the reference answer, medically? Reply with yes or no, and nothing else.';

/** What a prompt may have in it, of which it must say one thing about the completion. */
const PLACES = ['{Question}', '{Reference}', '{Answer}', '{Completion}', '{Modality}'] as const;

const schema = entrySchema('judge', {
  ...endpointFields,
  /** What the judge is asked, with {Answer} (in its tags) or {Completion}; {Question}, {Reference} and {Modality} may be there. */
  prompt: z
    .string()
    .refine(
      (text) => text.includes('{Answer}') || text.includes('{Completion}'),
      'has neither {Answer} nor {Completion}',
    )
    .default(PROMPT),
  system: z.string().nullable().default(null),
  temperature: z.number().nonnegative().default(0),
  max_tokens: z.int().positive().default(512),
});

/** 1 where the endpoint says yes, 0 where it says no; an answer that is neither leaves the completion without this reward. */
export const judgeReward: RewardKind<z.output<typeof schema>> = {
  name: 'judge',
  schema,
  judge: (entry, context, refuse) =>
    endpointJudge<string>(entry, context, refuse, ({ options, signal, answer }) => {
      const client = new ChatClient(options);
      const { model, prompt, system, temperature, max_tokens } = entry;
      return async (sample) => {
        const question = questionOf(sample.record);
        if (!question) return NO_ANSWER;
        const said = answerText(sample.completion);
        if (!prompt.includes('{Completion}') && 'problem' in said) return { value: 0, reason: said.problem };
        const content = filled(prompt, question, sample.completion, 'problem' in said ? '' : said.text);
        const messages = [
          ...(system === null ? [] : [{ role: 'system', content: system }]),
          { role: 'user', content },
        ];
        const request = { model, messages, temperature, max_tokens };
        const reply = await answer(
          request,
          isText,
          async () => (await client.complete(request, signal)).text,
        );
        return verdictOf(reply);
      };
    }),
};

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function filled(prompt: string, question: Question, completion: string, answer: string): string {
  const { options, answer: right, open, modality = '' } = question;
  const values: Readonly<Record<(typeof PLACES)[number], string>> = {
    '{Question}': question.question,
    '{Reference}':
      open?.kind === 'text' ? open.accepted.join(', or ') : open ? right : `${right}) ${options[right]}`,
    '{Answer}': answer,
    '{Completion}': completion,
    '{Modality}': modality,
  };
  // At once, so that what an answer says is never taken for a place.
  return prompt.replace(/\{[A-Z][a-z]+\}/g, (place) =>
    Object.hasOwn(values, place) ? values[place as keyof typeof values] : place,
  );
}

/** The verdict in a reply: its first word, or the only one that it says. */
export function verdictOf(reply: string): RewardResult {
  const said = reply.replace(/^[\s\S]*<\/think>/i, '').toLowerCase();
  const words = said.match(/\b(?:yes|no)\b/g) ?? [];
  const first = /^\W*(yes|no)\b/.exec(said)?.[1];
  const verdict = first ?? (new Set(words).size === 1 ? words[0] : undefined);
  const short = said.trim().slice(0, 60);
  if (verdict === undefined) return { value: null, reason: `neither yes nor no: ${JSON.stringify(short)}` };
  return { value: Number(verdict === 'yes'), reason: verdict };
}
