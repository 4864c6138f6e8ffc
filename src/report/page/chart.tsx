/** One chart: uPlot in the page's colours, and what it reads at the cursor. */
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { percent, short } from './format.js';
import { type Curve, type Panel, smoothed } from './series.js';
import { THEME_EVENT } from './theme.js';

const HEIGHT = 190;
const SYNC = 'step';
/** Custom properties of the style sheet that hold the colours of curves. */
const COLOURS = 8;

interface ChartProps {
  readonly panel: Panel;
  readonly steps: readonly number[];
  readonly smoothing: number;
  /** Told when a reader clicks on a step. */
  readonly onStep: ((step: number) => void) | undefined;
}

/** A chart. */
export function Chart(props: ChartProps) {
  const { panel, steps, smoothing } = props;
  const box = useRef<HTMLDivElement>(null);
  const legend = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  // A plot lives longer than one rendering: what it calls later must see the properties of then.
  const latest = useRef(props);
  latest.current = props;
  const shape = JSON.stringify([panel.id, panel.curves.map(({ label }) => label), panel.band !== undefined]);

  // The plot is built anew when its curves are others; new values only go into it.
  useEffect(() => {
    const host = box.current as HTMLDivElement;
    const build = () => {
      plot.current?.destroy();
      const options = optionsOf(latest, host, legend.current as HTMLElement);
      plot.current = new uPlot(options, dataOf(latest.current), host);
    };
    build();
    const resize = new ResizeObserver(() => {
      plot.current?.setSize({ width: host.clientWidth, height: HEIGHT });
    });
    resize.observe(host);
    document.addEventListener(THEME_EVENT, build);
    return () => {
      document.removeEventListener(THEME_EVENT, build);
      resize.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [shape]);
  useEffect(() => {
    plot.current?.setData(dataOf({ panel, steps, smoothing }));
  }, [panel, steps, smoothing]);

  return (
    <figure class="chart">
      <figcaption>
        <h3>{panel.title}</h3>
        <div class="legend" ref={legend}>
          {panel.curves.map(({ label }, i) => (
            <span key={label} class="key">
              {panel.curves.length > 1 && <i class={`swatch c${i % COLOURS}`} />}
              {panel.curves.length > 1 && label} <output />
            </span>
          ))}
        </div>
      </figcaption>
      <div class="plot" ref={box} />
      {panel.help && <p class="help">{panel.help}</p>}
    </figure>
  );
}

/**
 * Columns for uPlot: for each curve its own values and, drawn over them, the smoothed ones; then the ends of the band.
 * Of stacked curves each is the sum of those up to it.
 */
function dataOf({ panel, steps, smoothing }: Omit<ChartProps, 'onStep'>): uPlot.AlignedData {
  const columns: (readonly (number | null)[])[] = [];
  let below: (number | null)[] = steps.map(() => 0);
  for (const { values, sparse } of panel.curves) {
    if (panel.stacked) {
      below = below.map((sum, i) => (sum ?? 0) + (values[i] ?? 0));
      columns.push(smoothed(below, smoothing));
    } else {
      columns.push(values, sparse ? values : smoothed(values, smoothing));
    }
  }
  if (panel.band) columns.push(panel.band.low, panel.band.high);
  return [steps, ...columns] as uPlot.AlignedData;
}

function optionsOf(
  latest: { readonly current: ChartProps },
  host: HTMLElement,
  legend: HTMLElement,
): uPlot.Options {
  const { panel } = latest.current;
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const curveColour = (i: number) => colour(`c${i % COLOURS}`);
  const read = (value: number | null | undefined) =>
    value == null ? '–' : panel.unit === 'share' ? percent(value) : short(value);
  const { curves, stacked, band } = panel;
  const series: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  curves.forEach(({ sparse }, i) => {
    const stroke = curveColour(i);
    if (stacked) {
      series.push({ stroke, width: 1.25, points: { show: false } });
      if (i > 0) bands.push({ series: [i + 1, i], fill: `${stroke}55`, dir: -1 });
    } else {
      // Points stand alone where a metric is seldom measured; else only the smoothed curve is strong.
      const points = { show: sparse === true, size: 6, fill: stroke };
      series.push({ stroke: `${stroke}40`, width: 1, spanGaps: true, points: { show: false } });
      series.push({ stroke, width: 1.75, spanGaps: true, points });
    }
  });
  if (stacked && series[1]) series[1].fill = `${series[1].stroke}55`;
  if (band) {
    const at = series.length;
    series.push({ stroke: 'transparent', points: { show: false } });
    series.push({ stroke: 'transparent', points: { show: false } });
    bands.push({ series: [at + 1, at], fill: `${curveColour(0)}1f` });
  }
  const axis: uPlot.Axis = {
    stroke: colour('quiet'),
    grid: { stroke: colour('rule'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
    gap: 6,
  };
  return {
    width: host.clientWidth,
    height: HEIGHT,
    series,
    bands,
    padding: [8, 12, 0, 0],
    legend: { show: false },
    scales: {
      x: { time: false },
      y: {
        range: (_, min, max) => {
          const ends = [min, max, ...(panel.include ?? [])].filter((end) => end !== null);
          const [low, high] = [Math.min(...ends), Math.max(...ends)];
          const margin = 0.06 * (high - low || Math.abs(high) || 1);
          const fixed = (end: number) => panel.include?.includes(end) === true;
          return [fixed(low) ? low : low - margin, fixed(high) ? high : high + margin];
        },
      },
    },
    axes: [
      {
        ...axis,
        size: 26,
        incrs: [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10_000, 50_000],
      },
      {
        ...axis,
        size: 52,
        values: (_, ticks) => ticks.map((tick) => (panel.unit === 'share' ? percent(tick, 0) : short(tick))),
      },
    ],
    cursor: {
      sync: { key: SYNC, setSeries: false },
      y: false,
      points: { show: false },
      drag: { x: true, y: false },
    },
    hooks: {
      // Straight into the document: the cursor moves in all charts at once, many times a second.
      setCursor: [
        (plot) => {
          const at = plot.cursor.idx ?? (plot.data[0].length > 0 ? plot.data[0].length - 1 : null);
          const outputs = legend.querySelectorAll('output');
          // Values as they are, not smoothed, and of the panel as it is now: a live one grows.
          latest.current.panel.curves.forEach((curve, i) => {
            const output = outputs[i];
            if (output && at !== null) output.textContent = read(valueAt(curve, at));
          });
          host.dataset.step = plot.cursor.idx == null ? '' : `step ${plot.data[0][plot.cursor.idx]}`;
        },
      ],
      ready: [
        (plot) => {
          plot.setCursor({ left: -10, top: -10 });
          plot.over.addEventListener('click', () => {
            // A drag zooms; only a click without one asks for the step.
            if (plot.cursor.idx != null && plot.select.width < 3)
              latest.current.onStep?.(plot.data[0][plot.cursor.idx] as number);
          });
        },
      ],
      setData: [(plot) => plot.setCursor({ left: -10, top: -10 })],
    },
  };
}

/** The value of a curve at a place; of a metric that is seldom measured the latest up to there. */
function valueAt({ values, sparse }: Curve, at: number): number | null | undefined {
  let place = at;
  while (sparse && place > 0 && values[place] == null) place--;
  return values[place];
}
