/** The whole page: bar, head, sections. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import { ConfigSection } from './config.js';
import { CurvesSection } from './curves.js';
import { NO_FILTER, type TraceFilter } from './filter.js';
import { Head } from './head.js';
import { HealthSection } from './health-section.js';
import type { LiveState } from './load.js';
import { MatrixSection, matrixTitle } from './matrix-section.js';
import type { RunState } from './run-state.js';
import { ThemeButton } from './theme.js';
import { TracesSection } from './traces.js';

const LIVE_LABELS = { live: 'Live', connecting: 'Connecting', lost: 'Not connected' } as const;

/** Draws again when the run changes. */
function useVersion(state: RunState): number {
  const [version, setVersion] = useState(state.version);
  useEffect(() => {
    setVersion(state.version);
    return state.listen(() => setVersion(state.version));
  }, [state]);
  return version;
}

/** The report of a run. */
export function App({ state, live }: { state: RunState; live: LiveState | undefined }) {
  const version = useVersion(state);
  const [filter, setFilter] = useState<TraceFilter>(NO_FILTER);
  const sections = useMemo(() => {
    const has = { curves: state.rows.length > 0, traces: state.groups.length > 0 };
    return [
      { id: 'matrix', title: matrixTitle(state), shown: state.evaluations.length > 0 || has.traces },
      { id: 'curves', title: 'Curves', shown: has.curves },
      { id: 'traces', title: 'Reasoning traces', shown: has.traces },
      { id: 'health', title: 'Run health', shown: has.curves },
      { id: 'config', title: 'Configuration', shown: true },
    ];
  }, [version]);
  const shown = new Map(sections.map((section) => [section.id, section.shown]));
  const showTraces = (change: Partial<TraceFilter>) => {
    setFilter({ ...NO_FILTER, ...change });
    document.getElementById('traces')?.scrollIntoView();
  };
  const view = { state, version };
  return (
    <>
      <nav class="bar" aria-label="Sections">
        <a class="brand" href="#top">
          Osler
        </a>
        <div class="links">
          {sections
            .filter((section) => section.shown)
            .map(({ id, title }) => (
              <a key={id} href={`#${id}`}>
                {title}
              </a>
            ))}
        </div>
        {live && (
          <span class={`live ${live}`} role="status">
            {LIVE_LABELS[live]}
          </span>
        )}
        <ThemeButton />
      </nav>
      <main id="top">
        <Head {...view} />
        {shown.get('matrix') && <MatrixSection {...view} showTraces={showTraces} />}
        {shown.get('curves') && <CurvesSection {...view} showStep={showTraces} />}
        {shown.get('traces') && <TracesSection {...view} filter={filter} setFilter={setFilter} />}
        {shown.get('health') && <HealthSection {...view} />}
        <ConfigSection {...view} />
      </main>
      <footer>
        Made by Osler for research. Not a medical device; nothing here is advice on the care of a patient.
      </footer>
    </>
  );
}
