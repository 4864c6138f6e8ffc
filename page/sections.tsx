/** The sections of the page: each is a table, and is there once it has rows. */
import type { ComponentChildren } from 'preact';
import { short } from '../src/report/page/format.js';
import { Section } from '../src/report/page/section.js';
import type { CardReport } from './card-report.js';

interface View {
  readonly report: CardReport;
}

function Table({ head, children }: { head: readonly string[]; children: ComponentChildren }) {
  return (
    <div class="scroll">
      <table class="matrix plain">
        <thead>
          <tr>
            {head.map((title) => (
              <th key={title}>{title}</th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** Kernel tests by family, and what failed as the terminal has it. */
export function ChecksSection({ report: { checks } }: View) {
  if (checks.length === 0) return null;
  return (
    <Section
      id="checks"
      title="Checks"
      lead="The kernel tests of the repository, as they are: against float64 and PyTorch, odd shapes, gradients, every tier of the adapter."
    >
      <Table head={['Family', 'Passed', 'Failed', 'Skipped', 'Time']}>
        {checks.map(({ family, passed, failed, skipped, seconds }) => (
          <tr key={family}>
            <th>{family}</th>
            <td>{passed}</td>
            <td>{failed.length > 0 ? <span class="badge wrong">{failed.length} failed</span> : '0'}</td>
            <td>{skipped}</td>
            <td>{seconds.toFixed(1)} s</td>
          </tr>
        ))}
      </Table>
      {checks.flatMap(({ family, failed }) =>
        failed.map(({ name, reason }) => (
          <pre key={`${family} ${name}`} class="code">
            {`failed: ${family} > ${name}\n${reason}`}
          </pre>
        )),
      )}
    </Section>
  );
}

/** Kernels beside the roofline that was measured. */
export function KernelsSection({ report: { kernels } }: View) {
  if (kernels.length === 0) return null;
  return (
    <Section
      id="kernels"
      title="Kernels"
      lead="Medians of nine batches. The last column is the share of what this adapter's own measured arithmetic and memory allow."
    >
      <Table head={['Kernel', 'Shape', 'Time', 'GFLOP/s', 'GB/s', 'Of the roofline']}>
        {kernels.map(({ name, shape, ms, gflops, gbs, roofPercent }) => (
          <tr key={`${name} ${shape}`}>
            <th>{name}</th>
            <td>{shape}</td>
            <td>{short(Number(ms.toPrecision(3)))} ms</td>
            <td>{short(Number(gflops.toPrecision(3)))}</td>
            <td>{short(Number(gbs.toPrecision(3)))}</td>
            <td>{roofPercent.toFixed(0)}%</td>
          </tr>
        ))}
      </Table>
    </Section>
  );
}

/** Steps of training beside their predictions. */
export function StepsSection({ report: { steps } }: View) {
  if (steps.length === 0) return null;
  const hasSheet = steps.some(({ phases }) => phases.some(({ sheetSeconds }) => sheetSeconds !== undefined));
  const head = ['Phase', 'Measured', 'Roofline', 'Bound by', ...(hasSheet ? ['Data sheet'] : [])];
  return (
    <Section
      id="steps"
      title="Training steps"
      lead="LoRA GRPO steps at random weights: the second of two. The roofline is a prediction that no kernel reaches, of this adapter's measured limits, or of its maker's data sheet."
    >
      {steps.map(({ model, shape, phases }) => (
        <div key={model} class="step-table">
          <h3>{`${model}: ${shape}`}</h3>
          <Table head={head}>
            {phases.map(({ phase, measuredSeconds, seconds, bound, sheetSeconds }) => (
              <tr key={phase}>
                <th>{phase}</th>
                <td>{time(measuredSeconds)}</td>
                <td>{time(seconds)}</td>
                <td>{bound}</td>
                {hasSheet && <td>{sheetSeconds === undefined ? '–' : time(sheetSeconds)}</td>}
              </tr>
            ))}
          </Table>
        </div>
      ))}
    </Section>
  );
}

function time(seconds: number): string {
  return seconds < 1
    ? `${short(Number((1000 * seconds).toPrecision(3)))} ms`
    : `${short(Number(seconds.toPrecision(3)))} s`;
}

/** What the adapter says of itself. */
export function AdapterSection({ report: { adapter, tier, limits, browser } }: View) {
  if (!adapter || !limits) return null;
  const { subgroupSize, matrixConfigs } = adapter;
  const facts: [string, string][] = [
    ['Name', adapter.name],
    ['Maker', adapter.vendor],
    ['Architecture', adapter.architecture],
    ['Driver', adapter.driver],
    ['Software', adapter.software ? 'yes: kernels run on the processor' : 'no'],
    ['Tier', `${tier}, of ${adapter.tiers.join(', ')}`],
    ['Subgroups', subgroupSize ? `${subgroupSize.min} to ${subgroupSize.max} lanes` : 'none'],
    [
      'Matrix units',
      matrixConfigs
        .map(({ M, N, K, component, result }) => `${M}x${N}x${K} ${component} into ${result}`)
        .join(', ') || 'none',
    ],
    ['Features', adapter.features.join(', ')],
    ['Browser', browser],
  ];
  return (
    <Section id="adapter" title="Adapter">
      <Pairs rows={facts} />
      <details>
        <summary>Limits</summary>
        <Pairs rows={Object.entries(limits).map(([name, value]) => [name, value.toLocaleString('en')])} />
      </details>
    </Section>
  );
}

function Pairs({ rows }: { rows: readonly (readonly [string, string])[] }) {
  return (
    <table class="pairs">
      <tbody>
        {rows
          .filter(([, value]) => value !== '')
          .map(([name, value]) => (
            <tr key={name}>
              <th>{name}</th>
              <td>{value}</td>
            </tr>
          ))}
      </tbody>
    </table>
  );
}
