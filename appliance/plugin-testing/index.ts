/** What an author of plugins tests with: the suites, and a task on paper. `rackstrap plugins check` finds this. */
export { type PluginUnderTest, problemsWithoutNode, testDeployPlugin } from './deploy-plugin.ts'
export { interfaceTask } from './interface-task.ts'
export { testInterface, testRefusal, type UnderTest } from './interfaces.ts'
export { createKitOnPaper } from './kit-on-paper.ts'
export {
  ACCESS,
  type Call,
  CONTAINER,
  createTaskOnPaper,
  fileOnPaper,
  IMAGE,
  NODE_UUID,
  Refusal,
  type TaskOnPaper,
  type TaskSetting,
} from './task-on-paper.ts'
