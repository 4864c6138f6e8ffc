/** Configuration and provenance. */
import { Section, type View } from './section.js';

/** How the run was set up, in full, and where it came from. */
export function ConfigSection({ state }: View) {
  const { config, provenance, kind } = state.info;
  return (
    <Section id="config" title="Configuration and provenance">
      {provenance.length > 0 && (
        <table class="pairs">
          <tbody>
            {provenance.map(([label, value]) => (
              <tr key={label}>
                <th scope="row">{label}</th>
                <td>
                  <code>{value}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {config === '' ? (
        <p class="empty">The run has no config.yaml.</p>
      ) : (
        <details open>
          <summary>{kind === 'evaluation' ? 'Settings' : 'config.yaml'}</summary>
          <pre class="code">{config}</pre>
        </details>
      )}
    </Section>
  );
}
