#!/usr/bin/python
"""
Which disk gets the operating system: asks the agent, so that hints mean the same as for every other way to deploy.
Sets the fact ironic_root_device.

hints         as ironic.root_device_hints; {}: those of the node, else the smallest disk that is large enough
agent_socket  of the agent
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackstrap import AGENT_SOCKET, Failure, ask_agent


def main():
    module = AnsibleModule(
        argument_spec={'hints': {'type': 'dict', 'default': {}}, 'agent_socket': {'default': AGENT_SOCKET}},
        supports_check_mode=True,
    )
    try:
        disk = ask_agent(module.params['agent_socket'], '/root-device', {'hints': module.params['hints']})
    except Failure as failure:
        module.fail_json(msg=str(failure))
    module.exit_json(changed=False, disk=disk, ansible_facts={'ironic_root_device': disk['name']})


if __name__ == '__main__':
    main()
