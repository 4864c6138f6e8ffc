import { describe, expect, it } from 'vitest';
import { answerIn, type Question, Random } from '../data/index.js';
import { carefulNote, hastyNote, mixedNotes } from './readers.js';

const wording = { template: '{Question} Think, then answer.', system: '' };
const question: Question = {
  id: 'q1',
  images: ['a.png'],
  question: 'How many lesions are there?',
  options: { A: 'None', B: 'One', C: 'Two', D: 'Three' },
  answer: 'C',
  reasoning: 'I see two lesions.',
  modality: 'CT',
  question_type: 'Other Biological Attributes',
};

interface Turn {
  readonly role: string;
  readonly content: unknown;
}

function completionOf(note: Readonly<Record<string, unknown>>): string {
  return (note.messages as Turn[]).at(-1)?.content as string;
}

describe('the readers', () => {
  it('write what the trainers ask and reward', () => {
    const note = carefulNote(question, wording);
    const [system, user] = note.messages as Turn[];
    expect(system).toEqual({ role: 'system', content: '' });
    expect(user?.content).toEqual([
      { type: 'image' },
      {
        type: 'text',
        text: 'How many lesions are there? A)None, B)One, C)Two, D)Three Think, then answer.',
      },
    ]);
    expect(completionOf(note)).toBe('<think>I see two lesions.</think>\n<answer> Two </answer>');
    expect(answerIn(completionOf(note), question.options).letter).toBe('C');
  });

  it('guess evenly when hasty', () => {
    const random = new Random(1, 'test');
    const letters = Array.from({ length: 400 }, () => {
      return answerIn(completionOf(hastyNote(question, wording, random)), question.options).letter;
    });
    for (const letter of 'ABCD') {
      expect(letters.filter((found) => found === letter).length).toBeGreaterThan(70);
    }
  });

  it('are mixed by share and seed', () => {
    const many = Array.from({ length: 500 }, () => question);
    const mixed = () => mixedNotes(many, wording, 0.7, new Random(2, 'test')).map(completionOf);
    const hasty = mixed().filter((text) => text.includes('At a glance')).length;
    expect(hasty / 500).toBeGreaterThan(0.64);
    expect(hasty / 500).toBeLessThan(0.76);
    expect(mixed()).toEqual(mixed());
  });
});
