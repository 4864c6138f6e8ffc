/** What is wrong with the text of a card's file; undefined where nothing is. */
export function cardProblem(text: string): string | undefined;
/** README's table of cards. */
export function cardTable(cards: readonly { file: string; report: object }[]): string;
