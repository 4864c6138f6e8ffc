// How one row of logits is drawn from, as `samplingRows` writes it (48 bytes). Logits are multiplied with `scale`; tokens
// up to `limitId` at sort key `limitKey`, and all above it, may be chosen: everything, until sampling/threshold.wgsl says
// less. Rows differ, so that requests of any kind can share a batch.
struct Row {
  seed: vec2u, scale: f32, greedy: u32,
  limitKey: u32, limitId: u32, topK: u32, least: u32,
  topP: f32, minP: f32, penalty: f32, inversePenalty: f32,
}

// What processed logits of forbidden tokens hold: no probability, whatever the temperature, and no infinity.
const FORBIDDEN: f32 = -1e30;
