/**
 * Two imagined readers who wrote down how they answered. The careful one describes what the picture shows and is right;
 * the hasty one guesses. Imitating their notes teaches both habits; only a reward for right answers tells them apart,
 * which is what the demo shows. They answer with an option's text: small models learn that sooner than letters.
 */
import { type Question, questionPrompt, type Random } from '../data/index.js';

/** How the prompts read; the same in training and in examinations. */
export interface Wording {
  readonly template: string;
  readonly system: string;
}

/** A record of a conversation, as `messages` files have them. */
export type Note = Readonly<Record<string, unknown>>;

/** What the picture shows, and the right answer. */
export function carefulNote(question: Question, wording: Wording): Note {
  return note(question, wording, question.reasoning ?? '', question.options[question.answer] as string);
}

/** A guess: any option, right or wrong. */
export function hastyNote(question: Question, wording: Wording, random: Random): Note {
  const options = Object.values(question.options);
  return note(question, wording, 'At a glance.', options[random.below(options.length)] as string);
}

/** A share of the questions as the hasty reader answers them, the others as the careful one does. */
export function mixedNotes(
  questions: readonly Question[],
  wording: Wording,
  hastyShare: number,
  random: Random,
): Note[] {
  return questions.map((question) =>
    random.uniform() < hastyShare ? hastyNote(question, wording, random) : carefulNote(question, wording),
  );
}

function note(question: Question, { template, system }: Wording, thought: string, answer: string): Note {
  const { id, images, modality, question_type } = question;
  const { text } = questionPrompt(question, template, system);
  const messages = [
    { role: 'system', content: system },
    { role: 'user', content: [...images.map(() => ({ type: 'image' })), { type: 'text', text }] },
    { role: 'assistant', content: `<think>${thought}</think>\n<answer> ${answer} </answer>` },
  ];
  return { id, images, messages, modality, question_type };
}
