import { expect, test } from 'vitest';
import { mainLoop } from './loop.ts';
import { honeykrisp, nvk, radv, turnip } from './statistics.ts';

const lines = (text: string) => text.replace(/^\n/, '').split('\n');

test('RADV: statistics of the shader, and the innermost loop by kind', () => {
  const printed = lines(`
disasm:
BB0:
	s_and_b32 s9, s9, 0xfc0                                     ; 8b09ff09 00000fc0
	v_mov_b32_e32 v4, 0                                         ; 7e080280
BB3:
	s_barrier                                                   ; bfbd0000
BB4:
	ds_load_b64 v[0:1], v9                                      ; d9d80000
	s_waitcnt lgkmcnt(0)                                        ; bf89fc07
	v_wmma_f32_16x16x16_f16 v[8:15], v[0:7], v[16:23], v[8:15]  ; cc404008
	v_dual_fmac_f32 v1, v2, v3 :: v_dual_mov_b32 v4, v5         ; c8108702
	v_cvt_f32_f16_e32 v1, v2                                    ; 7e021702
	scratch_load_b32 v1, off, s32 offset:4                      ; dc510004
	s_cbranch_scc0 BB4                                          ; bfa1fff0
BB5:
	s_cbranch_scc1 BB3                                          ; bfa2ffe0
	s_endpgm                                                    ; bfb00000

*** SHADER STATS ***
SGPRs: 108
VGPRs: 192
Spilled SGPRs: 3
Spilled VGPRs: 7
LDS size: 39936
Subgroups per SIMD: 8
Latency: 19100
Inverse Throughput: 11744
********************`);
  expect(radv.parse(printed)).toEqual({
    registers: 192,
    spills: 7,
    fills: 1,
    sharedBytes: 39936,
    waves: 8,
    loop: { matrix: 1, float: 1, alu: 2, lds: 1, memory: 1, barrier: 0 },
    latency: 19100,
    throughput: 11744,
  });
});

test('NAK: predicates and results before an instruction, and nothing of the encoding after', () => {
  const printed = lines(`
NAK IR after calc_instr_deps:
block.u 0 L3 [] -> {
      r1        = s2r sr[0x21]                                        // delay=2 wr:0
} -> [1, 2]
block 1 L5 [0, 1] -> {
      r0..4     = ld.shared.strong.cta.b128 [r1.x16]                  // delay=1 rd:0
      r4..8     = hmma.m16n8k16.f32 r0..4 r8..10 r4..8                // delay=4
      r9        = ffma r1 r2 r9                                       // delay=5
      r8 p1     = iadd3 r8 0x20 rZ                                    // delay=2
              bar.sync                                            // delay=2
              ldsm.16.m8n8.x4 [r1]                                // delay=2
@!p0          st.global.a64.strong.gpu.b32 [r4..6] r0             // delay=2 rd:0
@p1           bra pT L5                                           // delay=1
} -> [1, 2]
block 2 L6 [1] -> {
              exit                                                // delay=1
} -> []

Stage: compute
Instruction count: 436
Static cycle count: 9159
Max warps/SM: 48
Spills to mem: 2
Spills to reg: 20
Fills from mem: 5
Fills from reg: 0
Num GPRs: 24
SLM size: 0
Encoded shader:
  ff0b7a10 00000000 00100000 000fc200 00007945 00000010 03800000 000fc200
shared_size: 1024`);
  expect(nvk.parse(printed)).toEqual({
    registers: 24,
    spills: 2,
    fills: 5,
    sharedBytes: 1024,
    waves: 48,
    loop: { matrix: 1, float: 1, alu: 1, lds: 2, memory: 1, barrier: 1 },
    latency: 9159,
  });
});

test('AGX: jumps by address, and not the preamble', () => {
  const printed = lines(`
CS shader: 3269 instrs, 2447 alu, 231 gprs, 512 uniforms, 0 scratch, 448 threads, 1 loops, 129:147 spills:fills, 263 preamble inst
   0: f2053300               mov      $r1, thread_index_in_threadgroup
   4: 520d76020008           while    r91, 0, 1, ine
   a: 20c0c8330000           jmp_none 13256
  10: 6800                   barrier
  12: 69910102f4000000       lload    r4_r5_r6_r7, r0h, 0, i32, xyzw
  1a: 3af1be222478020b       ffma     r28, $r95, r97, r28
  22: 0501d00d03c41200       load     r0, du0, 61, lsl 1, i32, x, a
  2a: 3800                   wait     0
  2c: fe45626a6b02           xor      $r17, r17, $r91
  32: 00c0d2ffffff           jmp_any  -46
  38: 8800                   stop
   0: 0501d00d03c41200       load     r0, du0, 61, lsl 1, i32, x, a
shared_size: 16896`);
  expect(honeykrisp.parse(printed)).toEqual({
    registers: 231,
    spills: 129,
    fills: 147,
    sharedBytes: 16896,
    waves: 448,
    loop: { matrix: 0, float: 1, alu: 1, lds: 1, memory: 1, barrier: 1 },
  });
});

test('IR3: repeats count, and stores to own memory are spills', () => {
  const printed = lines(`
MESA: info: Native code for unnamed CL shader (null) with blake3 ae36:
MESA: info: @const(c12.x)	0x00004000, 0x00004200, 0x00001000, 0x00002000
MESA: info: (ss)add.u r48.w, c0.z, -1
MESA: info: stp.u32 p[r1.x], r2.x, 1
MESA: info: l285:
MESA: info: (jp)br p0.x, #l517
MESA: info: (ss)(nop2) sad.s32 r8.z, c2.w, r8.z, r52.y
MESA: info: (rpt3)mad.f32 r8.z, r38.z, r8.z, r8.w
MESA: info: ldl.u32 r8.x, l[r1.x], 4
MESA: info: (rpt6)nop
MESA: info: isam.v.base0 (f32)(xyzw)r0.x, r1.x, s#0, t#0
MESA: info: bar.g
MESA: info: jump #l285
MESA: info: l517:
MESA: info: ldp.u32 r2.x, p[r1.x], 1
MESA: info: end
MESA: info: ; CL prog 18/1: 3592 instr, 1526 nops, 2066 non-nops, 235 mov, 1 cov, 4416 dwords
MESA: info: ; CL prog 18/1: 0 last-baryf, 0 last-helper, 0 half, 48 full, 20 constlen
MESA: info: ; CL prog 18/1: 4 max_waves, 0 double_threadsize
MESA: info: shared_size: 16896`);
  expect(turnip.parse(printed)).toEqual({
    registers: 48,
    spills: 1,
    fills: 1,
    sharedBytes: 16896,
    waves: 4,
    loop: { matrix: 0, float: 4, alu: 1, lds: 1, memory: 1, barrier: 1 },
  });
});

test('a driver that prints something else is an error', () => {
  expect(() => radv.parse(['VGPRs: 12'])).toThrow(/printed nothing like/);
});

test('the main loop does the most, without what is in loops inside of it', () => {
  const float = { kind: 'float' } as const;
  const code = [
    float,
    { kind: 'alu' },
    { kind: 'control', target: 1 }, // a small loop inside
    float,
    { kind: 'control', target: 0 },
  ] as const;
  expect(mainLoop(code)).toMatchObject({ float: 2, alu: 0 });
});

test('without loops all counts', () => {
  const float = { kind: 'float' } as const;
  const outer = [
    { kind: 'alu' },
    float,
    float,
    { kind: 'control', target: 1 },
    { kind: 'alu' },
    { kind: 'control', target: 0 },
  ] as const;
  expect(mainLoop(outer)).toMatchObject({ float: 2, alu: 0 });
  expect(mainLoop(outer.slice(0, 3))).toMatchObject({ float: 2, alu: 1 });
});

test('what stands in the middle of a loop and does not lead back is not of it', () => {
  const float = { kind: 'float' } as const;
  const code = [
    float,
    { kind: 'control', target: 4 }, // out of the loop or on
    { kind: 'alu' }, // after the loop
    { kind: 'control', ends: true },
    { kind: 'lds' },
    { kind: 'control', target: 0, ends: true },
  ] as const;
  expect(mainLoop(code)).toMatchObject({ float: 1, alu: 0, lds: 1 });
});

test('a jump back to where the kernel can get around is no loop', () => {
  const code: Parameters<typeof mainLoop>[0] = [
    { kind: 'control', target: 3 },
    { kind: 'lds' },
    { kind: 'lds' },
    { kind: 'float' },
    { kind: 'control', target: 3 },
    { kind: 'control', target: 1 },
  ];
  // Instruction 5 jumps back to 1, which the first jump goes around; 3 is a loop.
  expect(mainLoop(code)).toMatchObject({ float: 1, lds: 0 });
});

test('a loop may have a part in front of its entry', () => {
  const code: Parameters<typeof mainLoop>[0] = [
    { kind: 'control', target: 2, ends: true },
    { kind: 'alu' },
    { kind: 'matrix' },
    { kind: 'control', target: 1 },
    { kind: 'float' },
  ];
  // It is entered at 2, and instruction 3 jumps back to 1, which goes on to 2.
  expect(mainLoop(code)).toMatchObject({ matrix: 1, alu: 1, float: 0 });
});
