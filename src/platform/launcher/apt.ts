/** Reads the machine's own apt configuration and says from where a current Mesa can be had. Pure functions, no I/O. */

/** One archive that apt is configured to use. */
export interface AptSource {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
}

/** How to get Mesa with apt: which archive, which suites, whose signature. */
export interface AptRecipe {
  /** Names the folder that the result is kept in; changes whenever the result would. */
  readonly id: string;
  readonly mirror: string;
  readonly suites: readonly string[];
  readonly components: readonly string[];
  readonly keyring: string;
  /** The suite that Mesa itself comes from; apt takes from the others what it depends on. */
  readonly release: string;
}

/** Parses a `.list` file: one archive a line. */
export function parseListFile(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
    if (match) sources.push({ uri: match[1], suite: match[2], components: words(match[3]) });
  }
  return sources;
}

/** Parses a deb822 `.sources` file: paragraphs of fields, each naming several archives at once. */
export function parseSourcesFile(text: string): AptSource[] {
  const sources: AptSource[] = [];
  const lines = text.split('\n').filter((line) => !line.startsWith('#'));
  for (const paragraph of lines.join('\n').split(/\n\s*\n/)) {
    const fields = new Map<string, string>();
    for (const match of paragraph.matchAll(/^([A-Za-z-]+):[ \t]*(.*(?:\n[ \t]+.*)*)/gm)) {
      fields.set(match[1].toLowerCase(), match[2]);
    }
    const field = (name: string) => words(fields.get(name) ?? '');
    if (!field('types').includes('deb') || /^(no|false|0)$/i.test(fields.get('enabled')?.trim() ?? ''))
      continue;
    for (const uri of field('uris')) {
      for (const suite of field('suites')) sources.push({ uri, suite, components: field('components') });
    }
  }
  return sources;
}

/** Parses /etc/os-release. */
export function parseOsRelease(text: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const match of text.matchAll(/^(\w+)=["']?(.*?)["']?$/gm)) fields[match[1]] = match[2];
  return fields;
}

const DEBIAN_SUITES = [
  'bullseye',
  'bookworm',
  'trixie',
  'forky',
  'sid',
  'oldstable',
  'stable',
  'testing',
  'unstable',
];

/**
 * Finds the main archive among the sources: the one that carries the release itself, not its security updates (another
 * archive) and not a third party's packages for it.
 */
export function mainMirror(sources: readonly AptSource[], codenames: readonly string[]): string | undefined {
  const main = sources.filter(({ suite, components }) => {
    const release = suite.replace(/-(updates|backports|proposed-updates|proposed)$/, '');
    return components.includes('main') && codenames.includes(release);
  });
  // Third parties name their suites likewise, but their addresses rarely end in the distribution's name.
  const own = main.find(({ uri }) => /(debian|ubuntu|ubuntu-ports)\/?$/.test(uri)) ?? main[0];
  return own?.uri.replace(/\/$/, '');
}

/** What the choice of a recipe depends on. */
export interface AptFacts {
  readonly osRelease: Readonly<Record<string, string>>;
  readonly sources: readonly AptSource[];
  /** Which keyrings are installed. */
  readonly hasFile: (path: string) => boolean;
  /** Debian's name of the machine: amd64, arm64. */
  readonly architecture: string;
}

const DEBIAN_ARCHIVE = 'http://deb.debian.org/debian';
const keyrings = (name: string) => [`/usr/share/keyrings/${name}.gpg`, `/usr/share/keyrings/${name}.pgp`];

/**
 * Recipes to try, best first; none where no trusted keyring is installed (signatures are always checked).
 *
 * Debian (any release whose keyring knows trixie): Mesa of trixie-backports, 26 or newer. Ubuntu and its derivatives: Mesa
 * of the newest long-term release (26.04, "resolute"), signed by the key that all Ubuntu releases share; this one is
 * written from Ubuntu's documentation and has not been run on an Ubuntu machine.
 */
export function aptRecipes(facts: AptFacts): AptRecipe[] {
  const { osRelease: os, architecture } = facts;
  const recipes: AptRecipe[] = [];
  const codenames = [os.VERSION_CODENAME, os.UBUNTU_CODENAME, os.DEBIAN_CODENAME].filter(Boolean);
  const ubuntuKeyring = keyrings('ubuntu-archive-keyring').find(facts.hasFile);
  const ubuntuMirror = mainMirror(facts.sources, codenames);
  if (ubuntuKeyring && ubuntuMirror && /ubuntu/.test(`${os.ID} ${os.ID_LIKE}`)) {
    recipes.push({
      id: `mesa-resolute-${architecture}-1`,
      mirror: ubuntuMirror,
      suites: ['resolute', 'resolute-updates'],
      components: ['main', 'universe'],
      keyring: ubuntuKeyring,
      release: 'resolute',
    });
  }
  const debianKeyring = keyrings('debian-archive-keyring').find(facts.hasFile);
  if (debianKeyring) {
    const own = os.ID === 'debian' ? mainMirror(facts.sources, [...DEBIAN_SUITES, ...codenames]) : undefined;
    for (const mirror of new Set([own ?? DEBIAN_ARCHIVE, DEBIAN_ARCHIVE])) {
      recipes.push({
        id: `mesa-trixie-${architecture}-1`,
        mirror,
        suites: ['trixie', 'trixie-backports'],
        components: ['main'],
        keyring: debianKeyring,
        release: 'trixie-backports',
      });
    }
  }
  return recipes;
}

function words(text: string): string[] {
  return text.split(/\s+/).filter(Boolean);
}
