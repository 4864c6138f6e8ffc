/** Which traces a reader wants to see. */
import type { TraceCompletion, TraceGroup } from '../model.js';

/** What to show; an empty string or null leaves a field open. */
export interface TraceFilter {
  readonly modality: string;
  readonly questionType: string;
  readonly dataset: string;
  /** Completions that are right or wrong. */
  readonly outcome: '' | 'right' | 'wrong';
  /** Groups by how many of their completions are right. */
  readonly mix: '' | 'all-right' | 'mixed' | 'all-wrong';
  readonly fromStep: number | null;
  readonly toStep: number | null;
  /** Words that a completion, its question or a reason of its rewards has, without regard to case. */
  readonly text: string;
}

/** Shows everything. */
export const NO_FILTER: TraceFilter = {
  modality: '',
  questionType: '',
  dataset: '',
  outcome: '',
  mix: '',
  fromStep: null,
  toStep: null,
  text: '',
};

/** A group, and which of its completions were asked for. */
export interface Match {
  readonly group: TraceGroup;
  /** Samples whose completions match. */
  readonly samples: ReadonlySet<number>;
}

/** Words of a search, lower case; text in double quotes is one. */
export function searchTerms(text: string): string[] {
  return [...text.toLowerCase().matchAll(/"([^"]+)"|(\S+)/g)].map(
    (match) => (match[1] ?? match[2]) as string,
  );
}

/** The groups that have something to show. */
export function filterTraces(groups: readonly TraceGroup[], filter: TraceFilter): Match[] {
  const terms = searchTerms(filter.text);
  const matches: Match[] = [];
  for (const group of groups) {
    if (!groupMatches(group, filter)) continue;
    const head = terms.length > 0 ? headText(group) : '';
    const found = group.completions.filter((completion) =>
      completionMatches(completion, head, terms, filter),
    );
    if (found.length > 0) matches.push({ group, samples: new Set(found.map(({ sample }) => sample)) });
  }
  return matches;
}

function groupMatches(group: TraceGroup, filter: TraceFilter): boolean {
  if (filter.modality && group.modality !== filter.modality) return false;
  if (filter.questionType && group.questionType !== filter.questionType) return false;
  if (filter.dataset && group.dataset !== filter.dataset) return false;
  if (filter.fromStep !== null && group.step < filter.fromStep) return false;
  if (filter.toStep !== null && group.step > filter.toStep) return false;
  return filter.mix === '' || mixOf(group) === filter.mix;
}

/** Whether all, some or none of a group's completions are right; undefined where nobody said. */
export function mixOf(group: TraceGroup): 'all-right' | 'mixed' | 'all-wrong' | undefined {
  const judged = group.completions.filter(({ correct }) => correct !== undefined);
  if (judged.length === 0) return undefined;
  const right = judged.filter(({ correct }) => correct).length;
  return right === 0 ? 'all-wrong' : right === judged.length ? 'all-right' : 'mixed';
}

function headText(group: TraceGroup): string {
  const options = group.options.map(([, text]) => text).join(' ');
  return `${group.promptId} ${group.question} ${options}`.toLowerCase();
}

function completionMatches(
  completion: TraceCompletion,
  head: string,
  terms: readonly string[],
  { outcome }: TraceFilter,
): boolean {
  if (outcome !== '' && completion.correct !== (outcome === 'right')) return false;
  if (terms.length === 0) return true;
  const reasons = completion.rewards.map(({ name, reason = '' }) => `${name} ${reason}`).join(' ');
  const text = `${completion.text} ${reasons} ${completion.finish ?? ''}`.toLowerCase();
  return terms.every((term) => text.includes(term) || head.includes(term));
}

/** Values that there are of a field, in order. */
export function choices(
  groups: readonly TraceGroup[],
  field: 'modality' | 'questionType' | 'dataset',
): string[] {
  const found = new Set<string>();
  for (const group of groups) if (group[field]) found.add(group[field]);
  return [...found].sort((a, b) => a.localeCompare(b));
}
