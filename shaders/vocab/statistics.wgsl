// Online log-softmax statistics over one chunk of the vocabulary. logits is [rows, columns]: token ids
// firstId .. firstId + columns - 1 of each row. With l = scale * logit (scale is 1 / temperature), state[row] carries over
// from chunk to chunk
//   x  m, the largest l            y  s = sum exp(l - m)
//   z  e = sum (l - m) exp(l - m)  w  l of the target, if its chunk has come
// and after the LAST chunk
//   lse = m + log s      logp = l_target - m - log s      entropy = log s - e / s
//   hit = 1 where the target is the first of the largest l (what argmax names), else 0
// A target outside the vocabulary (such as -100) gives logp 0 and hit 0. NaN logits make the first three NaN.
// Until the last chunk hit holds whether every id before the target has a smaller l. Those that stand in the target's own
// chunk are read a second time for it, and only where the target is the largest of that chunk.
// One workgroup per row. A lane takes sixteen elements at a time, so that the running sums are rescaled once per
// sixteen; sixteen independent exponentials also suit software drivers, where a loop iteration is expensive.
#define FIRST // the first chunk
#define LAST  // the last chunk

struct Params { rows: u32, columns: u32, firstId: u32, scale: f32 }
#params Params

var<storage, read> logits: array<f32>;
var<storage, read> targets: array<i32>;
var<storage, read_write> state: array<vec4f>;
var<storage, read_write> hit: array<f32>;
#if LAST
var<storage, read_write> logp: array<f32>;
var<storage, read_write> entropy: array<f32>;
var<storage, read_write> lse: array<f32>;
#endif

#include "common/rows.wgsl"
#include "common/reduce.wgsl"

// Below every real logit, and small enough that differences of two such numbers stay finite.
const LOWEST: f32 = -1e30;

// Statistics m, s, e (x, y, z) seen from a larger maximum.
fn rescaled(part: vec3f, largest: f32) -> vec2f {
  let shift = part.x - largest;
  return exp(shift) * vec2f(part.y, part.z + part.y * shift);
}

// This lane's share of the largest l from `start` (its first element) up to `end`.
fn largestOf(start: u32, end: u32) -> f32 {
  var largest = LOWEST;
  var at = start;
  while (at + 15u * WORKGROUP < end) {
    #for i in 0..16
    let l${i} = params.scale * logits[at + ${i}u * WORKGROUP];
    #endfor
    let a = max(max(max(l0, l1), max(l2, l3)), max(max(l4, l5), max(l6, l7)));
    let b = max(max(max(l8, l9), max(l10, l11)), max(max(l12, l13), max(l14, l15)));
    largest = max(largest, max(a, b));
    at += 16u * WORKGROUP;
  }
  for (; at < end; at += WORKGROUP) { largest = max(largest, params.scale * logits[at]); }
  return largest;
}

fn processRow(row: u32, lane: u32) {
  let base = row * params.columns;
  let end = base + params.columns;

  var own = vec3f(LOWEST, 0.0, 0.0);
  var at = base + lane;
  while (at + 15u * WORKGROUP < end) {
    #for i in 0..16
    let l${i} = params.scale * logits[at + ${i}u * WORKGROUP];
    #endfor
    let a = max(max(max(l0, l1), max(l2, l3)), max(max(l4, l5), max(l6, l7)));
    let b = max(max(max(l8, l9), max(l10, l11)), max(max(l12, l13), max(l14, l15)));
    let largest = max(own.x, max(a, b));
    var sums = rescaled(own, largest);
    #for i in 0..16
    let d${i} = l${i} - largest;
    let t${i} = exp(d${i});
    #endfor
    #for i in 0..4
    sums += (vec2f(t${4 * i}, d${4 * i} * t${4 * i}) + vec2f(t${4 * i + 1}, d${4 * i + 1} * t${4 * i + 1}))
      + (vec2f(t${4 * i + 2}, d${4 * i + 2} * t${4 * i + 2}) + vec2f(t${4 * i + 3}, d${4 * i + 3} * t${4 * i + 3}));
    #endfor
    own = vec3f(largest, sums);
    at += 16u * WORKGROUP;
  }
  while (at < end) {
    let l = params.scale * logits[at];
    let largest = max(own.x, l);
    let d = l - largest;
    let t = exp(d);
    own = vec3f(largest, rescaled(own, largest) + vec2f(t, d * t));
    at += WORKGROUP;
  }

  let largest = workgroupMax(own.x, lane);
  let sums = workgroupSum2(rescaled(own, largest), lane);

  // A negative target becomes a huge u32 and is in no chunk.
  let column = u32(targets[row]) - params.firstId;
  let here = column < params.columns;
  var targetLogit = 0.0;
  var earlier = LOWEST;
  if (here) {
    targetLogit = params.scale * logits[base + column];
    if (targetLogit == largest) { earlier = largestOf(base + lane, base + column); }
  }
  earlier = workgroupMax(earlier, lane);
  if (lane != 0u) { return; }

  var leads = here && targetLogit == largest && earlier < targetLogit;
  var all = vec3f(largest, sums);
#if !FIRST
  let before = state[row];
  let joint = max(before.x, all.x);
  all = vec3f(joint, rescaled(before.xyz, joint) + rescaled(all, joint));
  if (here) {
    leads = leads && before.x < targetLogit;
  } else {
    leads = hit[row] != 0.0;
    targetLogit = before.w;
  }
#endif
#if LAST
  let logSum = log(all.y);
  let known = u32(targets[row]) < params.firstId + params.columns;
  logp[row] = select(0.0, targetLogit - all.x - logSum, known);
  entropy[row] = logSum - all.z / all.y;
  lse[row] = all.x + logSum;
  hit[row] = select(0.0, 1.0, leads && targetLogit == all.x);
#else
  state[row] = vec4f(all, targetLogit);
  hit[row] = select(0.0, 1.0, leads);
#endif
}
