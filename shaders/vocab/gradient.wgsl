// Gradient of sum_t w_t logp_t + u_t entropy_t with respect to one chunk of logits, in place over these logits.
// With l = scale * logit, p = exp(l - lse):
//   d logp / d l = onehot(target) - p        d entropy / d l = -p (log p + entropy)
// LOGP and ENTROPY say which of the two weights there are. logits is [rows, columns], token ids from firstId on. Rows
// without a target in the vocabulary take no part in the first term.
// Grid: x over columns, sixteen per invocation; y and z (folded) over rows, so that a row's scalars are uniform.
#define LOGP    // there is a weight w
#define ENTROPY // there is a weight u

struct Params { rows: u32, columns: u32, firstId: u32, vocab: u32, scale: f32 }
#params Params

var<storage, read_write> logits: array<f32>;
var<storage, read> targets: array<i32>;
var<storage, read> lse: array<f32>;
#if LOGP
var<storage, read> w: array<f32>;
#endif
#if ENTROPY
var<storage, read> u: array<f32>;
var<storage, read> entropy: array<f32>;
#endif

override WORKGROUP: u32 = 64;

// What the elements of a row share.
var<private> normaliser: f32;
var<private> goal: u32;
var<private> weight: f32;
var<private> pull: f32;
var<private> own: f32;

fn gradient(logit: f32, column: u32) -> f32 {
  let logProbability = params.scale * logit - normaliser;
  let p = exp(logProbability);
  var g = 0.0;
#if LOGP
  g += weight * (select(0.0, 1.0, params.firstId + column == goal) - p);
#endif
#if ENTROPY
  g -= pull * p * (logProbability + own);
#endif
  return g;
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y + group.z * groups.y;
  if (row >= params.rows) { return; }
  goal = u32(targets[row]);
  normaliser = lse[row];
#if LOGP
  weight = select(0.0, params.scale * w[row], goal < params.vocab);
#endif
#if ENTROPY
  pull = params.scale * u[row];
  own = entropy[row];
#endif
  let first = group.x * WORKGROUP * 16u + lane;
  let base = row * params.columns;
  if (first + 15u * WORKGROUP < params.columns) {
    #for i in 0..16
    let l${i} = logits[base + first + ${i}u * WORKGROUP];
    #endfor
    #for i in 0..16
    logits[base + first + ${i}u * WORKGROUP] = gradient(l${i}, first + ${i}u * WORKGROUP);
    #endfor
    return;
  }
  for (var column = first; column < params.columns; column += WORKGROUP) {
    logits[base + column] = gradient(logits[base + column], column);
  }
}
