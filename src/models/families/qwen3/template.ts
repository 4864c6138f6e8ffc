/** The chat template for checkpoints that come without one. */

/** Renders what the template of the Instruct models without thinking renders where there are no tools. */
export const QWEN3_TEMPLATE = `\
{%- for message in messages -%}
  {{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}
`;
