// y[t] = table[ids[t]] for t < tokens: rows of a [vocab, dim] table, widened to f32.
// The table may come in windows of rows (it can exceed what one binding covers): each launch sees rows
// [firstRow, firstRow + rows). The launch of the first window (FIRST) also writes zeros for every id that it does not
// hold, so ids that no window holds, negative ones among them, give a row of zeros.
// VEC4 (dim a multiple of 4) moves four columns per invocation; the plain variant moves one and serves any dim, with
// 16-bit rows that may start in the middle of a word.
// Grid: x over columns, y and z (folded) over tokens, so that the id is the same for a whole workgroup.
#define FORMAT "f32" | "f16" | "bf16" // how the table is stored
#define VEC4                          // four columns per invocation
#define FIRST                         // the first window: write zeros for ids that it does not hold
#include "common/pack.wgsl"

struct Params { tokens: u32, columns: u32, firstRow: u32, rows: u32 }
#params Params

var<storage, read> ids: array<i32>;
#if VEC4
#if FORMAT != "f32"
var<storage, read> table: array<vec2u>;
#else
var<storage, read> table: array<vec4f>;
#endif
var<storage, read_write> y: array<vec4f>;
#else
#if FORMAT != "f32"
var<storage, read> table: array<u32>;
#else
var<storage, read> table: array<f32>;
#endif
var<storage, read_write> y: array<f32>;
#endif

override WORKGROUP: u32 = 64;

fn widen(word: u32) -> vec2f {
#if FORMAT == "f16"
  return unpack2x16float(word);
#else
  return unpackBf16(word);
#endif
}

#if VEC4
fn load(at: u32) -> vec4f {
#if FORMAT != "f32"
  let words = table[at];
  return vec4f(widen(words.x), widen(words.y));
#else
  return table[at];
#endif
}
#else
fn load(at: u32) -> f32 {
#if FORMAT != "f32"
  return widen(table[at >> 1u])[at & 1u];
#else
  return table[at];
#endif
}
#endif

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  // columns counts what one invocation moves: dim / 4 or dim.
  let t = group.y + group.z * groups.y;
  let column = group.x * WORKGROUP + lane;
  if (t >= params.tokens || column >= params.columns) { return; }
  // A negative id becomes a huge u32 and is out of every window.
  let row = u32(ids[t]) - params.firstRow;
  let at = t * params.columns + column;
  if (row < params.rows) {
    y[at] = load(row * params.columns + column);
  }
#if FIRST
  else {
#if VEC4
    y[at] = vec4f(0.0);
#else
    y[at] = 0.0;
#endif
  }
#endif
}
