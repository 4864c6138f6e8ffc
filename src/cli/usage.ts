/** What yargs says of a command line that it does not understand, in Osler's words: one sentence with the fix. */
import { closest } from '../train/config/suggest.js';

/**
 * A sentence for yargs' message.
 *
 * @param words the command line after `osler`.
 * @param commands names of the commands.
 */
export function usageMessage(message: string, words: readonly string[], commands: readonly string[]): string {
  const [, unknown] = /^Unknown arguments?: (.+)$/.exec(message) ?? [];
  if (unknown !== undefined) return unknownWords(unknown, words, commands);
  const choices = [...message.matchAll(/^ *Argument: (.+), Given: (.+), Choices: (.+)$/gm)];
  if (choices.length > 0) {
    return choices.map(([, name, given, known]) => `--${name} is ${given}; allowed are ${known}`).join('; ');
  }
  if (message.startsWith('Not enough non-option arguments')) {
    return `${firstWord(words)} needs more words; \`osler ${firstWord(words)} --help\` shows how it is called`;
  }
  return message;
}

function firstWord(words: readonly string[]): string {
  return words.find((word) => !word.startsWith('-')) ?? '';
}

function unknownWords(unknown: string, words: readonly string[], commands: readonly string[]): string {
  const first = firstWord(words);
  if (commands.includes(first)) {
    return `unknown argument ${unknown}; \`osler ${first} --help\` lists what there is`;
  }
  const meant = closest(first, commands);
  const hint = meant === undefined ? '' : `did you mean "${meant}"? `;
  return `"${first}" is not a command; ${hint}\`osler --help\` lists them`;
}
