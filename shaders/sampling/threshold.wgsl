// Which tokens survive top-k, top-p and min-p, without sorting. Under Hugging Face's rules each filter keeps the first
// so many tokens in the order of falling logit (equal logits by rising id), so the survivors are described by
//   (limitKey, limitId): keep a token if its sort key is above limitKey, or equal and its id is not above limitId,
// which are put into a copy of the row's settings.
// Order of the filters: top-k (keeps everything that ties with the k-th); top-p on the renormalised rest (keeps a token
// while the mass before it is below topP); min-p (keeps tokens of at least minP times the largest probability). At least
// `least` tokens survive. topK 0, topP 1 and minP 0 switch a filter off.
//
// A threshold is found digit by digit, four bits at a time: the largest key t such that the weight of tokens with key
// >= t still reaches a goal. Eight passes over the row, each a deterministic sum for fifteen candidate keys at once. The
// weight is 1 for a rank, the probability for a mass; the same search over complemented ids finds the n-th of a tie.
// One workgroup per row of logits[rows, vocab]; the row stays in cache between passes. SKIP branches around tokens below
// the candidates, most of them after the first digits: a gain on GPUs, a loss on software drivers, which run both sides.
#define SKIP // branch around tokens below the candidates
#include "common/sort-key.wgsl"
#include "sampling/row.wgsl"

struct Params { rows: u32, vocab: u32 }
#params Params

var<storage, read> logits: array<f32>;
var<storage, read> settings: array<Row>;
var<storage, read_write> limited: array<Row>;

#include "common/rows.wgsl"
#include "common/reduce.wgsl"

const RANK = 0u;
const MASS = 1u;
const TIE = 2u;
const EVERY_ID = 0xffffffffu;

// What a search goes by: which weight, relative to which logit, among keys from `floor` on (or equal to it, for TIE).
struct Search { weight: u32, goal: f32, floor: u32, largest: f32, scale: f32 }

fn probability(value: f32, largest: f32, scale: f32) -> f32 {
  return exp(scale * (value - largest));
}

// The largest t with sum of weights at keys >= t reaching the goal.
fn search(by: Search, base: u32, lane: u32) -> u32 {
  var prefix = 0u;
  for (var digitAt = 32u; digitAt > 0u;) {
    digitAt -= 4u;
    #for d in 1..16
    var sum${d} = 0.0;
    #endfor
    for (var start = 0u; start < params.vocab; start += 4u * WORKGROUP) {
      #for i in 0..4
      let token${i} = start + ${i}u * WORKGROUP + lane;
      let value${i} = logits[base + min(token${i}, params.vocab - 1u)];
      #endfor
      #for i in 0..4
      let place${i} = sortKey(value${i});
      var key${i} = place${i};
      var weight${i} = select(0.0, 1.0, token${i} < params.vocab);
      if (by.weight == TIE) {
        weight${i} = select(0.0, weight${i}, place${i} == by.floor);
        key${i} = ~token${i};
      } else if (by.weight == MASS) {
        weight${i} = select(0.0, weight${i} * probability(value${i}, by.largest, by.scale), place${i} >= by.floor);
      }
      let digit${i} = select(0u, (key${i} - prefix) >> digitAt, key${i} >= prefix);
#if SKIP
      if (digit${i} > 0u) {
        #for d in 1..16
        sum${d} += select(0.0, weight${i}, digit${i} >= ${d}u);
        #endfor
      }
#else
      #for d in 1..16
      sum${d} += select(0.0, weight${i}, digit${i} >= ${d}u);
      #endfor
#endif
      #endfor
    }
    var chosen = select(0u, 1u, workgroupSum(sum1, lane) >= by.goal);
    #for i in 1..8
    let pair${i} = workgroupSum2(vec2f(sum${2 * i}, sum${2 * i + 1}), lane);
    if (pair${i}.x >= by.goal) { chosen = ${2 * i}u; }
    if (pair${i}.y >= by.goal) { chosen = ${2 * i + 1}u; }
    #endfor
    prefix += chosen << digitAt;
  }
  return prefix;
}

var<workgroup> flag: u32;

// A condition that all lanes know to be the same, as branches around barriers must be.
fn uniformly(condition: bool, lane: u32) -> bool {
  if (lane == 0u) { flag = select(0u, 1u, condition); }
  return workgroupUniformLoad(&flag) == 1u;
}

// Weight above a key, and number of tokens at it.
fn aboveAndTies(by: Search, key: u32, base: u32, lane: u32) -> vec2f {
  var sums = vec2f(0.0);
  for (var token = lane; token < params.vocab; token += WORKGROUP) {
    let value = logits[base + token];
    let place = sortKey(value);
    var weight = 1.0;
    if (by.weight == MASS) { weight = probability(value, by.largest, by.scale); }
    sums += vec2f(select(0.0, weight, place > key), select(0.0, 1.0, place == key));
  }
  return workgroupSum2(sums, lane);
}

// The id of the n-th token that ties at a key, given how many there are.
fn lastTie(key: u32, n: f32, ties: f32, base: u32, lane: u32) -> u32 {
  var id = EVERY_ID;
  if (uniformly(n < ties, lane)) { id = ~search(Search(TIE, n, key, 0.0, 1.0), base, lane); }
  return id;
}

fn processRow(row: u32, lane: u32) {
  let base = row * params.vocab;
  let wanted = settings[row];

  var highest = FORBIDDEN;
  for (var token = lane; token < params.vocab; token += WORKGROUP) { highest = max(highest, logits[base + token]); }
  let largest = workgroupMax(highest, lane);
  let top = sortKey(largest);

  var key = 0u;
  var id = EVERY_ID;
  if (wanted.topK > 0u && wanted.topK < params.vocab) {
    key = min(top, search(Search(RANK, f32(max(wanted.topK, wanted.least)), 0u, largest, wanted.scale), base, lane));
  }
  if (wanted.topP < 1.0) {
    var mass = 0.0;
    for (var token = lane; token < params.vocab; token += WORKGROUP) {
      let value = logits[base + token];
      mass += select(0.0, probability(value, largest, wanted.scale), sortKey(value) >= key);
    }
    let goal = wanted.topP * workgroupSum(mass, lane);
    let by = Search(MASS, goal, key, largest, wanted.scale);
    key = min(top, search(by, base, lane));
    let at = aboveAndTies(by, key, base, lane);
    let kept = ceil((goal - at.x) / max(probability(keyValue(key), largest, wanted.scale), 1e-38));
    id = lastTie(key, clamp(kept, 1.0, at.y), at.y, base, lane);
  }
  if (wanted.minP > 0.0) {
    let least = min(top, sortKey(largest + log(wanted.minP) / wanted.scale));
    if (least > key) {
      key = least;
      id = EVERY_ID;
    }
  }
  if (wanted.least > 1u) {
    let goal = f32(min(wanted.least, params.vocab));
    let by = Search(RANK, goal, 0u, largest, wanted.scale);
    let needed = search(by, base, lane);
    if (uniformly(needed <= key, lane)) {
      let at = aboveAndTies(by, needed, base, lane);
      let last = lastTie(needed, goal - at.x, at.y, base, lane);
      id = select(last, max(id, last), needed == key);
      key = needed;
    }
  }
  if (lane == 0u) {
    limited[row] = wanted;
    limited[row].limitKey = key;
    limited[row].limitId = id;
  }
}
