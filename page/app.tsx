/** The whole page: bar, head, what was found. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { OSLER_VERSION } from '../src/platform/version.js';
import { ThemeButton } from '../src/report/page/theme.js';
import { addEvent, type CardEvent, type CardReport, type CardRequest } from './card-report.js';
import { AdapterSection, ChecksSection, KernelsSection, StepsSection } from './sections.js';
import { Tiles } from './tiles.js';

const HIDDEN =
  'The tab was hidden while it measured, and browsers slow hidden tabs down: keep it in front and measure again before you rely on the times.';
const CRASHED = 'The worker ended before it was done; load the page again, and start with nothing else open.';

function emptyReport(): CardReport {
  return {
    kind: 'osler-card',
    version: 1,
    osler: OSLER_VERSION,
    date: new Date().toISOString(),
    browser: navigator.userAgent,
    quick: false,
    complete: false,
    checks: [],
    kernels: [],
    steps: [],
    notes: [],
  };
}

type Stage = 'before' | 'running' | 'done';

/** Runs everything in a worker and draws what it tells. */
export function App() {
  const report = useRef(emptyReport());
  const worker = useRef<Worker>(undefined);
  const [stage, setStage] = useState<Stage>('before');
  const [doing, setDoing] = useState('');
  const [, redraw] = useState(0);
  const take = (event: CardEvent) => {
    addEvent(report.current, event);
    if (event.kind === 'adapter') report.current.quick = event.adapter.software;
    if (event.kind === 'doing') setDoing(event.what);
    if (event.kind === 'end') end();
    redraw((n) => n + 1);
  };
  const end = () => {
    worker.current?.terminate();
    setStage('done');
  };
  const start = () => {
    report.current = emptyReport();
    if (document.hidden) take({ kind: 'note', note: HIDDEN });
    const own = new Worker('worker.js', { type: 'module' });
    worker.current = own;
    own.onmessage = ({ data }: MessageEvent<CardEvent>) => take(data);
    own.onerror = () => {
      take({ kind: 'note', note: CRASHED });
      end();
    };
    setDoing('Opening the GPU');
    setStage('running');
    const only = new URLSearchParams(location.search).get('only') ?? undefined;
    own.postMessage({ only } satisfies CardRequest);
  };
  useEffect(() => {
    const look = () => {
      if (document.hidden && stage === 'running') take({ kind: 'note', note: HIDDEN });
    };
    document.addEventListener('visibilitychange', look);
    return () => document.removeEventListener('visibilitychange', look);
  }, [stage]);
  const { adapter, notes, checks, kernels, steps } = report.current;
  return (
    <>
      <nav class="bar" aria-label="Sections">
        <a class="brand" href="#top">
          Osler
        </a>
        <div class="links">
          {checks.length > 0 && <a href="#checks">Checks</a>}
          {kernels.length > 0 && <a href="#kernels">Kernels</a>}
          {steps.length > 0 && <a href="#steps">Steps</a>}
          {adapter && <a href="#adapter">Adapter</a>}
        </div>
        <ThemeButton />
      </nav>
      <main id="top">
        <header class="head">
          <p class="overline">This GPU</p>
          <h1>{adapter ? nameOf(adapter) : 'What this GPU does with Osler'}</h1>
          <p class="lead">
            Runs Osler's kernel tests on the GPU that this browser uses, then times kernels and training
            steps. It takes some minutes, loads nothing from elsewhere and sends nothing anywhere: what it
            finds is a file that you may download.
          </p>
          <div class="controls">
            {stage === 'running' ? (
              <button type="button" onClick={end}>
                Stop
              </button>
            ) : (
              <button type="button" onClick={start}>
                {stage === 'before' ? 'Check and measure' : 'Once more'}
              </button>
            )}
            <button type="button" disabled={!adapter} onClick={() => download(report.current)}>
              Download JSON
            </button>
            <span class="quiet" role="status">
              {stage === 'running' ? `${doing} …` : stage === 'done' ? endOf(report.current) : ''}
            </span>
          </div>
          {notes.map((text) => (
            <p key={text} class="note">
              {text}
            </p>
          ))}
          <Tiles report={report.current} />
        </header>
        <ChecksSection report={report.current} />
        <KernelsSection report={report.current} />
        <StepsSection report={report.current} />
        <AdapterSection report={report.current} />
      </main>
      <footer>Made by Osler for research. Times of one run on a machine that may do other work.</footer>
    </>
  );
}

function endOf({ complete, checks }: CardReport): string {
  if (checks.some(({ failed }) => failed.length > 0)) {
    return 'Some kernels are wrong on this GPU: please send the file with an issue.';
  }
  return complete ? 'Done.' : 'Ended; a part of all was done.';
}

function nameOf({ name, vendor, architecture }: NonNullable<CardReport['adapter']>): string {
  return name === 'unknown adapter' ? [vendor, architecture].filter(Boolean).join(' ') || name : name;
}

function download(report: CardReport): void {
  const blob = new Blob([`${JSON.stringify(report, null, 2)}\n`], { type: 'application/json' });
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  const name = report.adapter ? nameOf(report.adapter) : 'gpu';
  link.download = `${name.toLowerCase().replace(/[^a-z0-9]+/g, '-')}.json`;
  link.click();
  URL.revokeObjectURL(link.href);
}
