// Logits that the sampler may choose from: the repetition penalty (Hugging Face's rule: a seen token's logit is divided
// by it if positive, multiplied if negative) and then forbidden tokens. PENALTY and MASK say which apply; `seen` has a
// row of bits per sequence, `forbidden` one row for all; the penalty is that of the row.
// Grid: x over columns, four per invocation; y and z (folded) over rows.
#define PENALTY // apply the repetition penalty
#define MASK    // forbid tokens
#include "sampling/row.wgsl"

struct Params { rows: u32, vocab: u32, words: u32 }
#params Params

var<storage, read> logits: array<f32>;
var<storage, read_write> work: array<f32>;
#if PENALTY
var<storage, read> seen: array<u32>;
var<storage, read> settings: array<Row>;
#endif
#if MASK
var<storage, read> forbidden: array<u32>;
#endif

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y + group.z * groups.y;
  if (row >= params.rows) { return; }
  let first = group.x * WORKGROUP * 4u + lane;
  #for i in 0..4
  {
    let token = first + ${i}u * WORKGROUP;
    if (token < params.vocab) {
      var value = logits[row * params.vocab + token];
#if PENALTY
      let history = seen[row * params.words + (token >> 5u)];
      if (((history >> (token & 31u)) & 1u) == 1u) {
        value *= select(settings[row].inversePenalty, settings[row].penalty, value < 0.0);
      }
#endif
#if MASK
      if (((forbidden[token >> 5u] >> (token & 31u)) & 1u) == 1u) { value = FORBIDDEN; }
#endif
      work[row * params.vocab + token] = value;
    }
  }
  #endfor
}
