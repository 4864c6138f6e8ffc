/** The document around the page: strict policy, no request to anywhere, data that cannot end its block. */

/** Script and style of the page, as the build bundles them. */
export interface PageAssets {
  readonly script: string;
  readonly style: string;
}

/** A block of the document that holds data. */
export interface DataBlock {
  /** `updates`: gzip and base64 of a JSON list of updates. `pictures`: one address a line, empty where there is none. */
  readonly kind: 'updates' | 'pictures';
  /** Must be free of `<`: base64 and data URLs are. */
  readonly text: string;
}

/** What differs between a file and a live page. */
export interface PageOptions {
  readonly title: string;
  readonly assets: PageAssets;
  readonly blocks?: readonly DataBlock[];
  /** The page listens to server-sent events at this address and takes pictures from its own server. */
  readonly events?: string;
}

/** The content security policy of a page: nothing runs, loads or connects but what is named. */
export async function contentSecurityPolicy(assets: PageAssets, live: boolean): Promise<string> {
  return [
    "default-src 'none'",
    `script-src '${await sha256(assets.script)}'`,
    `style-src '${await sha256(assets.style)}'`,
    live ? "img-src 'self' data:" : 'img-src data:',
    ...(live ? ["connect-src 'self'"] : []),
    "base-uri 'none'",
    "form-action 'none'",
    // No text can become markup, not even by a mistake in the page's own script.
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return `sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}`;
}

/** The whole document, in pieces: together they may be longer than a string should be. */
export async function* pageHtml(options: PageOptions): AsyncGenerator<string> {
  const { assets, events, blocks = [] } = options;
  for (const [name, text] of Object.entries(assets)) {
    if (/<\/(script|style)|<!--/i.test(text)) {
      throw new Error(`the page's ${name} holds text that would end its block; change it`);
    }
  }
  const policy = await contentSecurityPolicy(assets, events !== undefined);
  yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n';
  yield `<meta http-equiv="Content-Security-Policy" content="${policy}">\n`;
  yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n';
  yield '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n';
  // Browsers ask the server for an icon otherwise.
  yield '<link rel="icon" href="data:,">\n';
  yield `<title>${escapeHtml(options.title)}</title>\n<style>${assets.style}</style>\n</head>\n<body>\n`;
  yield `<div id="page"${events === undefined ? '' : ` data-events="${escapeHtml(events)}"`}>`;
  yield '<noscript>This report draws its charts and tables with JavaScript.</noscript></div>\n';
  for (const { kind, text } of blocks) {
    if (text.includes('<')) throw new Error(`a ${kind} block holds a "<"`);
    yield `<script type="text/plain" data-kind="${kind}">${text}</script>\n`;
  }
  yield `<script>${assets.script}</script>\n</body>\n</html>\n`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
