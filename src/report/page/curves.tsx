/** Metrics of a run as charts. */
import { useMemo, useState } from 'preact/hooks';
import { Chart } from './chart.js';
import type { TraceFilter } from './filter.js';
import { Section, type View } from './section.js';
import { panelsOf } from './series.js';

/** Charts with one cursor; a click shows the traces of a step. */
export function CurvesSection(props: View & { readonly showStep: (filter: Partial<TraceFilter>) => void }) {
  const { state, version, showStep } = props;
  const { steps, main, others } = useMemo(() => panelsOf(state.rows, state.tallies), [version]);
  const [smoothing, setSmoothing] = useState(0.6);
  const [more, setMore] = useState(false);
  const traced = state.groups.length > 0;
  const onStep = traced ? (step: number) => showStep({ fromStep: step, toStep: step }) : undefined;
  return (
    <Section
      id="curves"
      title="Curves"
      lead={`Values by optimizer step. Drag to zoom, double-click to see all again${traced ? ', click to see the traces of a step' : ''}.`}
    >
      <div class="controls">
        <label>
          Smoothing
          <input
            type="range"
            min="0"
            max="0.98"
            step="0.02"
            value={smoothing}
            onInput={({ currentTarget }) => setSmoothing(Number(currentTarget.value))}
          />
          <output>{smoothing.toFixed(2)}</output>
        </label>
      </div>
      <div class="charts">
        {main.map((panel) => (
          <Chart key={panel.id} panel={panel} steps={steps} smoothing={smoothing} onStep={onStep} />
        ))}
      </div>
      {others.length > 0 && (
        <details onToggle={({ currentTarget }) => setMore(currentTarget.open)}>
          <summary>All other metrics ({others.length})</summary>
          {more && (
            <div class="charts">
              {others.map((panel) => (
                <Chart key={panel.id} panel={panel} steps={steps} smoothing={smoothing} onStep={onStep} />
              ))}
            </div>
          )}
        </details>
      )}
    </Section>
  );
}
