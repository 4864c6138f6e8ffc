/** A tab of Chromium, on the software WebGPU that it brings, and what is served to it. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Browser, chromium, type Page } from 'playwright-core';
import { findChromium, NO_CHROMIUM } from '../../scripts/lib/chromium.mjs';

/** Where Chromium is; undefined where tests of tabs are skipped. */
export const executablePath = findChromium();
/** What the names of skipped tests end with. */
export const WHY_SKIPPED = executablePath ? '' : ` (${NO_CHROMIUM})`;

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript',
  wasm: 'application/wasm',
};

/** WebGPU by SwiftShader, with the one toggle of Node's Dawn without which SwiftShader takes several times longer to compile. */
const WEBGPU = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension',
];

/** Without what the launcher of tests set to have this process find its driver. */
export function plainEnvironment(): Record<string, string> {
  const isOurs = (name: string) =>
    /^(VK_|LD_|LP_|OSLER_(LAUNCHED|NODE|PRELOAD|STAGES|DRIVER|TIER|ADAPTER)$)/.test(name);
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (value && !isOurs(name) ? [[name, value]] : [])),
  );
}

/** An open tab. */
export interface Tab {
  readonly page: Page;
  /** What the page printed or threw. */
  readonly complaints: readonly string[];
  close(): Promise<void>;
}

/** A Chromium, with WebGPU or without. */
export function openBrowser({ webgpu }: { readonly webgpu: boolean }): Promise<Browser> {
  const args = ['--no-sandbox', ...(webgpu ? WEBGPU : [])];
  return chromium.launch({ executablePath, args, env: plainEnvironment() });
}

/** Serves files by name, an empty page besides, and opens it. */
export async function openTab(
  files: Readonly<Record<string, string | Uint8Array>>,
  { at = '', webgpu = true } = {},
): Promise<Tab> {
  const server = createServer((request, response) => {
    const name = (request.url as string).slice(1).replace(/\?.*/, '');
    const body = name === '' && !files[name] ? '<!doctype html><title>tab</title>' : files[name];
    if (name === 'favicon.ico') return void response.writeHead(204).end();
    if (body === undefined) return void response.writeHead(404).end();
    const type = TYPES[name.split('.').at(-1) as string] ?? (name === '' ? TYPES.html : undefined);
    response.writeHead(200, { 'Content-Type': type ?? 'application/octet-stream' }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  let browser: Browser | undefined;
  const close = async () => {
    await browser?.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  try {
    browser = await openBrowser({ webgpu });
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${at}`);
    return { page, complaints, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * Asks a worker of the tab, a module that answers one message: what it answers, or throws.
 *
 * @param script name of the worker's module.
 */
export async function askWorker(page: Page, script: string, request: unknown): Promise<unknown> {
  const answer = await page.evaluate(
    ([url, message]) =>
      new Promise<{ result?: unknown; error?: string }>((resolve) => {
        const web = globalThis as unknown as { Worker: new (url: string, options: object) => TabWorker };
        const worker = new web.Worker(url, { type: 'module' });
        worker.onmessage = ({ data }) => resolve(data as { result?: unknown });
        worker.onerror = ({ message: text }) => resolve({ error: text ?? 'the worker does not load' });
        worker.postMessage(message);
      }),
    [script, request] as [string, unknown],
  );
  if (answer.error !== undefined) throw new Error(answer.error);
  return answer.result;
}

interface TabWorker {
  onmessage: (event: { data: unknown }) => void;
  onerror: (event: { message?: string }) => void;
  postMessage(message: unknown): void;
}
