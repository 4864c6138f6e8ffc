"""TRL's own loss code on given log-probabilities: `GRPOTrainer._compute_loss` with all but the loss replaced."""

import functools
from collections import defaultdict
from types import SimpleNamespace

from trl.trainer.grpo_trainer import GRPOTrainer

DEFAULTS = dict(
    loss_type="dapo",
    importance_sampling_level="token",
    epsilon=0.2,
    epsilon_high=None,
    delta=None,
    beta=0.0,
    entropy_coef=0.0,
    top_entropy_quantile=1.0,
    sapo_temperature_pos=1.0,
    sapo_temperature_neg=1.05,
    use_bias_correction_kl=False,
    off_policy_mask_threshold=None,
    vespo_k_pos=2.0,
    vespo_lambda_pos=3.0,
    vespo_k_neg=3.0,
    vespo_lambda_neg=2.0,
    max_completion_length=16,
    gradient_accumulation_steps=1,
    num_items=None,
)


def trl_loss(settings, logps, entropies, mask, advantages, old_logps, ref_logps):
    """The loss of a batch [B, C] and TRL's metrics; `old_logps` may be None, as TRL has it on policy."""
    s = SimpleNamespace(**{**DEFAULTS, **settings})
    identity = SimpleNamespace(
        num_processes=1,
        sync_gradients=True,
        gather=lambda x: x,
        reduce=lambda x, reduction: x,
        pad_across_processes=lambda x, dim, pad_index: x,
    )
    trainer = SimpleNamespace(
        model=SimpleNamespace(training=True),
        accelerator=identity,
        args=SimpleNamespace(
            use_bias_correction_kl=s.use_bias_correction_kl,
            delta=s.delta,
            sapo_temperature_pos=s.sapo_temperature_pos,
            sapo_temperature_neg=s.sapo_temperature_neg,
            vespo_k_pos=s.vespo_k_pos,
            vespo_lambda_pos=s.vespo_lambda_pos,
            vespo_k_neg=s.vespo_k_neg,
            vespo_lambda_neg=s.vespo_lambda_neg,
            steps_per_generation=s.gradient_accumulation_steps,
        ),
        aux_loss_enabled=False,
        off_policy_mask_threshold=s.off_policy_mask_threshold,
        use_vllm=False,
        use_adaptive_entropy=False,
        top_entropy_quantile=s.top_entropy_quantile,
        importance_sampling_level=s.importance_sampling_level,
        beta=s.beta,
        loss_type=s.loss_type,
        epsilon_low=s.epsilon,
        epsilon_high=s.epsilon if s.epsilon_high is None else s.epsilon_high,
        max_completion_length=s.max_completion_length,
        current_gradient_accumulation_steps=s.gradient_accumulation_steps,
        _entropy_bonus_enabled=s.entropy_coef != 0,
        entropy_coef=s.entropy_coef,
        _metrics={"train": defaultdict(list)},
        _get_per_token_logps_and_entropies=lambda *_, **__: (logps, entropies, None),
    )
    trainer.get_off_policy_mask = GRPOTrainer.get_off_policy_mask
    trainer.get_gamma_weights = GRPOTrainer.get_gamma_weights
    trainer.get_high_entropy_mask = functools.partial(GRPOTrainer.get_high_entropy_mask, trainer)
    items = mask.sum() if s.num_items is None else mask.new_tensor(s.num_items)
    inputs = dict(
        prompt_ids=mask[:, :0].long(),
        prompt_mask=mask[:, :0],
        completion_ids=mask.long(),
        completion_mask=mask,
        advantages=advantages,
        num_items_in_batch=items,
        ref_per_token_logps=ref_logps,
    )
    if old_logps is not None:
        inputs["old_per_token_logps"] = old_logps
    loss = GRPOTrainer._compute_loss(trainer, None, inputs)
    return loss, {name: values[-1] for name, values in trainer._metrics["train"].items()}
