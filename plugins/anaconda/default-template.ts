/**
 * The kickstart of nodes for which nobody brought a template. Jinja2, with the variables that Ironic gives
 * (`ks_options`) and further ones for containers and disks.
 */

const callback = (status: string, message: string) =>
  `/usr/bin/curl {% if 'insecure_heartbeat' in ks_options %}--insecure {% endif %}--silent --show-error --fail --max-time 60 --retry 5 -X POST -H 'Content-Type: application/json' -H 'Accept: application/json' -H 'X-OpenStack-Ironic-API-Version: 1.72' -d '{"callback_url": "", "agent_token": "{{ ks_options.agent_token }}", "agent_status": "${status}", "agent_status_message": "${message}"}' {{ ks_options.heartbeat_url }}`

/** In a shell's single quotes: the end of the installer's own log, without what JSON or the shell would read. */
const LAST_WORDS = `'"$(tail -n 3 /tmp/anaconda.log 2> /dev/null | tr -dc '[:alnum:] .,:/()_\\n-' | tr '\\n' ' ' | tail -c 600)"'`

export const DEFAULT_TEMPLATE = `text
reboot
lang en_US.UTF-8
keyboard us
timezone UTC --utc
rootpw --lock
firstboot --disabled
selinux --enforcing

{% if 'root_device' in ks_options -%}
ignoredisk --only-use={{ ks_options.root_device }}
{% endif -%}
bootloader
zerombr
clearpart --all --initlabel
autopart

{% if 'container_url' in ks_options -%}
{% if ks_options.container_command == 'bootc' -%}
bootc --source-imgref=registry:{{ ks_options.container_url }} --target-imgref={{ ks_options.container_url }}
{% else -%}
ostreecontainer --url={{ ks_options.container_url }} --transport=registry --no-signature-verification
{% endif -%}
{% elif 'is_source_a_path' in ks_options -%}
url --url={{ ks_options.liveimg_url }}

%packages --ignoremissing
@core
%end
{% else -%}
liveimg --url={{ ks_options.liveimg_url }}{% if 'liveimg_checksum' in ks_options %} --checksum={{ ks_options.liveimg_checksum }}{% endif %}
{% endif %}
%pre
${callback('start', 'The installer has started.')}
%end

{{ ks_options.container_pre | default('') }}
%onerror
${callback('error', `The installation failed. ${LAST_WORDS}`)}
%end

{{ ks_options.config_drive }}
{{ ks_options.container_post | default('') }}
# The last: the machine is switched off when this was heard.
%post --nochroot
sync
${callback('end', 'The installation is done.')}
%end
`
