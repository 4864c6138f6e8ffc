/** Signs that something in a run went wrong. */
import { useMemo } from 'preact/hooks';
import { healthChecks } from './health.js';
import { Section, type View } from './section.js';

const MARKS = { good: '✓', attention: '!', bad: '✗', plain: '·' } as const;
const WORDS = {
  good: 'fine',
  attention: 'look at this',
  bad: 'a problem',
  plain: 'for information',
} as const;

/** A table of checks. */
export function HealthSection({ state, version }: View) {
  const checks = useMemo(() => healthChecks(state.rows), [version]);
  return (
    <Section id="health" title="Run health">
      <ul class="health">
        {checks.map(({ id, title, value, state: mark, help }) => (
          <li key={id} class={mark}>
            <span class="mark" role="img" aria-label={WORDS[mark]}>
              {MARKS[mark]}
            </span>
            <div>
              <strong>{title}</strong>
              <p>{help}</p>
            </div>
            <span class="value">{value}</span>
          </li>
        ))}
      </ul>
    </Section>
  );
}
