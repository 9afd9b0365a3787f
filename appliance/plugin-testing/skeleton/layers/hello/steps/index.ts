import type { Steps } from '@appliance/pxe/agent-api'

export const steps: Steps = {
  say_hello: {
    priority: 0,
    async run(agent, { text, volume }) {
      for (let time = 0; time < Number(volume); time++) agent.screen.say(String(text))
      return { said: text }
    },
  },
}
