// Negative log-likelihood from token log-probabilities: result[0] = -sum of logp over the targets that count, divided by
// their number with MEAN, and result[1] = that number. Targets equal to `ignore` do not count; any other target outside
// 0..vocab-1 is a mistake that the host could not see, and makes the loss NaN. So does MEAN when nothing counts, as in
// PyTorch. One workgroup.
#define MEAN // divide by the number of targets that count

struct Params { size: u32, vocab: u32, ignore: i32 }
#params Params

var<storage, read> logp: array<f32>;
var<storage, read> targets: array<i32>;
var<storage, read_write> result: array<u32>;

override WORKGROUP: u32 = 64;

#include "common/reduce.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = vec2f(0.0);
  var bad = 0.0;
  for (var at = lane; at < params.size; at += WORKGROUP) {
    let goal = targets[at];
    if (goal != params.ignore) {
      sum += vec2f(-logp[at], 1.0);
      if (u32(goal) >= params.vocab) { bad = 1.0; }
    }
  }
  let total = workgroupSum2(sum, lane);
  let mistakes = workgroupSum(bad, lane);
  if (lane != 0u) { return; }
#if MEAN
  let empty = total.y == 0.0;
  let loss = total.x / max(total.y, 1.0);
#else
  let empty = false;
  let loss = total.x;
#endif
  // As bits: a compiler that assumes that NaN does not exist may drop a choice between floats.
  result[0] = select(bitcast<u32>(loss), 0x7fc00000u, empty || mistakes > 0.0);
  result[1] = bitcast<u32>(total.y);
}
