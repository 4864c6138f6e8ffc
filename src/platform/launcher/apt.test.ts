import { describe, expect, it } from 'vitest';
import {
  type AptFacts,
  aptRecipes,
  mainMirror,
  parseListFile,
  parseOsRelease,
  parseSourcesFile,
} from './apt.js';

const DEBIAN_12 = parseOsRelease('PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\nVERSION_CODENAME=bookworm\n');
const UBUNTU_24 = parseOsRelease(
  'ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\nUBUNTU_CODENAME=noble\n',
);

const DEB822 = `Types: deb deb-src
# a comment inside a paragraph
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb
URIs:
 https://one.example/debian
 https://two.example/debian
Suites: trixie
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEY865UxYJKwYBBAHaRw8BAQdAd7Z0srwuhlB6JKFkcf4HU4SSS
 -----END PGP PUBLIC KEY BLOCK-----
`;

describe('apt sources', () => {
  it('reads one-line files', () => {
    const text = `# deb http://old.example/debian bookworm main
deb http://deb.debian.org/debian bookworm main contrib # comment
  deb [arch=amd64 signed-by=/k.gpg] https://packages.example cloud-sdk main
deb-src http://deb.debian.org/debian bookworm main
deb http://flat.example ./
`;
    expect(parseListFile(text)).toEqual([
      { uri: 'http://deb.debian.org/debian', suite: 'bookworm', components: ['main', 'contrib'] },
      { uri: 'https://packages.example', suite: 'cloud-sdk', components: ['main'] },
      { uri: 'http://flat.example', suite: './', components: [] },
    ]);
  });

  it('reads deb822 files: several archives in a paragraph, continuation lines, disabled ones', () => {
    expect(parseSourcesFile(DEB822).map(({ uri, suite }) => `${uri} ${suite}`)).toEqual([
      'http://mirror.example/debian bookworm',
      'http://mirror.example/debian bookworm-updates',
      'http://mirror.example/debian-security bookworm-security',
      'https://one.example/debian trixie',
      'https://two.example/debian trixie',
    ]);
  });

  it('reads empty and odd files', () => {
    for (const text of ['', '\n\n', 'Types: deb', 'nonsense', 'URIs: x\n\n\nSuites: y']) {
      expect(parseSourcesFile(text)).toEqual([]);
      expect(parseListFile(text)).toEqual([]);
    }
  });
});

describe('the main mirror', () => {
  it('is neither the security archive nor a third party', () => {
    const sources = [
      ...parseListFile(
        'deb https://repo.example/pg bookworm-pgdg main\ndeb https://extra.example/apt bookworm main\n',
      ),
      ...parseListFile('deb http://security.debian.org/debian-security bookworm-security main\n'),
      ...parseListFile('deb https://ftp.example/pub/debian/ bookworm main\n'),
    ];
    expect(mainMirror(sources, ['bookworm'])).toBe('https://ftp.example/pub/debian');
  });

  it('may have any name if it is the only one', () => {
    expect(mainMirror(parseListFile('deb mirror+file:/etc/apt/m.list trixie main'), ['trixie'])).toBe(
      'mirror+file:/etc/apt/m.list',
    );
    expect(mainMirror([], ['trixie'])).toBeUndefined();
  });
});

describe('recipes', () => {
  const facts = (changes: Partial<AptFacts>): AptFacts => ({
    osRelease: DEBIAN_12,
    sources: parseSourcesFile(DEB822),
    hasFile: (file) => /debian-archive-keyring\.gpg$/.test(file),
    architecture: 'amd64',
    ...changes,
  });

  it('on Debian: the own mirror, then the official one', () => {
    const recipes = aptRecipes(facts({}));
    expect(recipes.map(({ mirror }) => mirror)).toEqual([
      'http://mirror.example/debian',
      'http://deb.debian.org/debian',
    ]);
    expect(recipes[0]).toMatchObject({ release: 'trixie-backports', suites: ['trixie', 'trixie-backports'] });
    expect(recipes[0].id).toBe(recipes[1].id);
  });

  it('on Debian with the official mirror: once', () => {
    const sources = parseListFile('deb http://deb.debian.org/debian trixie main');
    expect(aptRecipes(facts({ sources }))).toHaveLength(1);
  });

  it('on Ubuntu: its own archive; Debian only where its keyring is installed', () => {
    const sources = parseListFile('deb http://archive.ubuntu.com/ubuntu/ noble main universe');
    const ubuntu = { osRelease: UBUNTU_24, sources };
    const [first, ...rest] = aptRecipes(
      facts({ ...ubuntu, hasFile: (file) => /ubuntu-archive-.*gpg$/.test(file) }),
    );
    expect(first).toMatchObject({ mirror: 'http://archive.ubuntu.com/ubuntu', release: 'resolute' });
    expect(rest).toEqual([]);
    expect(aptRecipes(facts({ ...ubuntu, hasFile: () => true })).map(({ release }) => release)).toEqual([
      'resolute',
      'trixie-backports',
    ]);
  });

  it('without a keyring: none, since nothing unsigned is installed', () => {
    expect(aptRecipes(facts({ hasFile: () => false }))).toEqual([]);
  });
});
