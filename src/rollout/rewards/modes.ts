/** Two ways to read an answer. */
import { z } from 'zod';

/** `paper`: exactly as Med-R1's published code; `robust`: as a careful reader. */
export const REWARD_MODES = ['paper', 'robust'] as const;

/** See {@link REWARD_MODES}. */
export type RewardMode = (typeof REWARD_MODES)[number];

/** The field that chooses. */
export const modeField = z.enum(REWARD_MODES).default('robust');
