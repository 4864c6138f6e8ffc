/** What drivers print about a kernel that they compiled, in common terms. */
import { type Instruction, type Kind, kindBy, type Labelled, type Mix, mainLoop, resolve } from './loop.js';

/** A compiled kernel. Numbers are the driver's own: registers of 32 bits, on Apple of 16. */
export interface Statistics {
  readonly registers: number;
  /** Registers written to memory for want of room, and read back: as numbers of registers or of instructions. */
  readonly spills: number;
  readonly fills: number;
  /** Workgroup memory. */
  readonly sharedBytes: number;
  /** Subgroups that one SIMD holds at a time (RDNA), one multiprocessor (NVIDIA) or one core (Adreno); on Apple threads. */
  readonly waves: number;
  readonly loop: Mix;
  /** The driver's estimate of cycles from start to end of one subgroup, and of cycles between two; where it has one. */
  readonly latency?: number;
  readonly throughput?: number;
}

/** How to make a driver print, and to read what it printed. */
export interface Driver {
  readonly env: Readonly<Record<string, string>>;
  /** Of a kernel's lines those from the last that matches on are kept, or where it is about standard output begins a kernel. */
  readonly begins: RegExp;
  /** Lines of the code, where they come on standard output and only the figures on the other. */
  readonly listing?: RegExp;
  parse(lines: readonly string[]): Statistics;
}

const number = (lines: readonly string[], pattern: RegExp): number | undefined => {
  for (let i = lines.length - 1; i >= 0; i--) {
    const match = pattern.exec(lines[i]);
    if (match) return Number(match[1]);
  }
  return undefined;
};

const needed = (lines: readonly string[], pattern: RegExp): number => {
  const found = number(lines, pattern);
  if (found === undefined) throw new Error(`the driver printed nothing like ${pattern}`);
  return found;
};

/** Workgroup memory as NIR's header has it: before what is kept, so that readers keep these lines too. */
export const SHARED = /^(?:MESA: info: )?shared_size: (\d+)/;

const RDNA: readonly (readonly [Kind, RegExp])[] = [
  ['matrix', /^v_(wmma|swmmac|mfma)/],
  ['barrier', /^s_barrier(?!_wait)/],
  [
    'control',
    /^s_(c?branch|wait|delay|nop|clause|endpgm|barrier_wait|setprio|sendmsg|inst_prefetch|code_end|icache)/,
  ],
  ['lds', /^ds_/],
  ['memory', /^(buffer|global|flat|scratch|image|s_load|s_buffer)_/],
  ['alu', /^v_(cmp|cvt)/],
  ['float', /^v_(\w+_)?(f16|f32|f64|bf16)(_|$)|^v_(fma_mix|dot2)/],
];

function rdnaCode(lines: readonly string[]): Instruction[] {
  const labels = new Map<string, number>();
  const code: Labelled[] = [];
  for (const line of lines) {
    const label = /^(BB\d+):/.exec(line)?.[1];
    if (label) labels.set(label, code.length);
    const text = /^\t([^;]+)/.exec(line)?.[1];
    // Two operations may share an instruction.
    for (const part of text?.split('::') ?? []) {
      const [name] = part.trim().split(' ');
      const to = /^s_c?branch\S* (BB\d+)/.exec(part.trim())?.[1];
      const ends = /^s_(branch|endpgm)/.test(name);
      code.push({ kind: kindBy(RDNA, name), ends, ...(to ? { to } : {}) });
    }
  }
  return resolve(code, labels);
}

/** Mesa's driver of AMD GPUs. */
export const radv: Driver = {
  env: { RADV_DEBUG: 'nocache,asm,shaderstats' },
  begins: /^disasm:/,
  parse: (lines) => ({
    registers: needed(lines, /^VGPRs: (\d+)/),
    spills: needed(lines, /^Spilled VGPRs: (\d+)/),
    fills: lines.filter((line) => /^\tscratch_load/.test(line)).length,
    sharedBytes: needed(lines, /^LDS size: (\d+)/),
    waves: needed(lines, /^Subgroups per SIMD: (\d+)/),
    loop: mainLoop(rdnaCode(lines)),
    latency: needed(lines, /^Latency: (\d+)/),
    throughput: needed(lines, /^Inverse Throughput: (\d+)/),
  }),
};

const NVIDIA: readonly (readonly [Kind, RegExp])[] = [
  ['matrix', /^[hi]mma/],
  ['barrier', /^bar$|^bar\./],
  ['control', /^(bra|nop|exit|bssy|bsync|bclear|bmov|break|depbar|membar|warpsync|kill)\b/],
  ['lds', /^ldsm|^(ld|st|atom)\.\S*shared/],
  ['memory', /^(ld|st|atom|red|suld|sust|ldc|al2p|tex|tld)\b/],
  ['float', /^(ffma|fadd|fmul|fmnmx|mufu|hfma2|hadd2|hmul2|hmnmx2|dfma|dadd|dmul)\b/],
];

function nvidiaCode(lines: readonly string[]): Instruction[] {
  const labels = new Map<string, number>();
  const code: Labelled[] = [];
  for (const line of lines) {
    const label = /^block\S* \d+ (L\d+) /.exec(line)?.[1];
    if (label) labels.set(label, code.length);
    // A predicate, results, the instruction, and how long it waits.
    const text = /^(?:@\S+)?\s+(?:[^=/]* = )?([a-z][^/]*)/.exec(line)?.[1];
    if (label || !text) continue;
    const to = /^bra .*\b(L\d+)/.exec(text)?.[1];
    const ends = !line.startsWith('@') && /^(exit|bra pT) /.test(text);
    code.push({ kind: kindBy(NVIDIA, text.split(' ')[0]), ends, ...(to ? { to } : {}) });
  }
  return resolve(code, labels);
}

/** Mesa's driver of NVIDIA GPUs, whose compiler is NAK. */
export const nvk: Driver = {
  env: { NAK_DEBUG: 'print' },
  begins: /^NAK IR after /,
  parse: (lines) => ({
    registers: needed(lines, /^Num GPRs: (\d+)/),
    spills: needed(lines, /^Spills to mem: (\d+)/),
    fills: needed(lines, /^Fills from mem: (\d+)/),
    sharedBytes: number(lines, SHARED) ?? 0,
    waves: needed(lines, /^Max warps\/SM: (\d+)/),
    loop: mainLoop(
      nvidiaCode(
        lines.slice(
          0,
          lines.findIndex((line) => line.startsWith('Stage: ')),
        ),
      ),
    ),
    latency: needed(lines, /^Static cycle count: (\d+)/),
  }),
};

const APPLE: readonly (readonly [Kind, RegExp])[] = [
  ['matrix', /^simd_matrix/],
  ['barrier', /^barrier/],
  ['control', /^(jmp|if|else|while|pop_exec|push_exec|break|wait|stop|begin_cf|end_cf|nop|trap|signal)/],
  ['lds', /^(lload|lstore|latomic)/],
  ['memory', /^(load|store|stack|device_|atomic|tex|image|uniform_store|sample)/],
  ['float', /^(h?f(fma|add|mul|ma)|ffma|rcp|rsqrt|srsqrt|exp2|log2|sin_pt|floor|ceil|rint|trunc)/],
];

/** Code of the kernel itself; what runs once before all workgroups follows it, from address 0 again. */
function appleCode(lines: readonly string[]): Instruction[] {
  const places = new Map<number, number>();
  const jumps: (number | undefined)[] = [];
  const kinds: Kind[] = [];
  for (const line of lines) {
    const match = /^ *([0-9a-f]+): [0-9a-f]+ +([a-z]\w*)(.*)/.exec(line);
    if (!match) continue;
    const address = Number.parseInt(match[1], 16);
    if (places.has(address)) break;
    places.set(address, kinds.length);
    kinds.push(kindBy(APPLE, match[2]));
    jumps.push(/^jmp/.test(match[2]) ? address + Number.parseInt(match[3], 10) : undefined);
  }
  return kinds.map((kind, i) => {
    const target = places.get(jumps[i] ?? -1);
    return target === undefined ? { kind } : { kind, target };
  });
}

/** Mesa's driver of Apple GPUs. */
export const honeykrisp: Driver = {
  env: { AGX_MESA_DEBUG: 'shaderdb,shaders' },
  begins: /^shader: /,
  listing: /^ *[0-9a-f]+: [0-9a-f]+ +[a-z]/,
  parse: (lines) => ({
    registers: needed(lines, /^CS shader: .* (\d+) gprs/),
    spills: needed(lines, /^CS shader: .* (\d+):\d+ spills:fills/),
    fills: needed(lines, /^CS shader: .* \d+:(\d+) spills:fills/),
    sharedBytes: number(lines, SHARED) ?? 0,
    waves: needed(lines, /^CS shader: .* (\d+) threads/),
    loop: mainLoop(appleCode(lines)),
  }),
};

const ADRENO: readonly (readonly [Kind, RegExp])[] = [
  ['barrier', /^bar\b/],
  ['control', /^(br|jump|nop|end|fence|pred|kill|shps|shpe|getone|ball|bany|chsh|chmask|ret|call)\w?/],
  ['lds', /^(ldl|stl|ldlw|stlw|atomic\.\S*l\b)/],
  ['memory', /^(ld|st|isam|sam|resinfo|atomic)/],
  [
    'float',
    /^(mad|mul|add|min|max|rcp|rsq|sqrt|exp2|log2|sin|cos|floor|ceil|rndne|trunc|sign)\S*\.f|^(rcp|rsq|sqrt|hrsq|exp2|hexp2|log2|hlog2|sin|cos)\b|^mad\.f/,
  ],
];

function adrenoCode(lines: readonly string[]): Instruction[] {
  const labels = new Map<string, number>();
  const code: Labelled[] = [];
  for (const line of lines) {
    const text = line.replace('MESA: info: ', '');
    const label = /^(l\d+):/.exec(text)?.[1];
    if (label) labels.set(label, code.length);
    const match = /^((?:\([a-z0-9]+\))*) *([a-z][\w.]*)(.*)/.exec(text);
    if (label || !match) continue;
    const [, flags, name, operands] = match;
    const repeat = 1 + Number(/\(rpt(\d)\)/.exec(flags)?.[1] ?? 0);
    const to = /^(?:br|jump)/.test(name) ? /#(l\d+)/.exec(operands)?.[1] : undefined;
    const ends = name === 'jump' || name === 'end';
    code.push({ kind: kindBy(ADRENO, name), repeat, ends, ...(to ? { to } : {}) });
  }
  return resolve(code, labels);
}

/** Mesa's driver of Adreno GPUs, whose compiler is IR3. */
export const turnip: Driver = {
  env: { IR3_SHADER_DEBUG: 'cs' },
  begins: /Native code for /,
  parse: (lines) => {
    // Memory of one's own: the compiler's only use of it here is for registers.
    const own = (name: string) => lines.filter((line) => new RegExp(`[ )]${name}\\.`).test(line)).length;
    return {
      registers: needed(lines, /; CL prog .* (\d+) full/),
      spills: own('stp'),
      fills: own('ldp'),
      sharedBytes: number(lines, SHARED) ?? 0,
      waves: needed(lines, /; CL prog \S+: (\d+) max_waves/),
      loop: mainLoop(adrenoCode(lines)),
    };
  },
};
