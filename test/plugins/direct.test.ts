/** The deploy interface direct: conformance, and each form of image_info that an agent gets from it. */
import { join } from 'node:path'
import { testDeployPlugin } from '../conformance/deploy-plugin.ts'
import { IMAGE_FIELDS } from '../conformance/task-on-paper.ts'

const FOLDER = join(import.meta.dirname, '../../plugins/direct')

testDeployPlugin(() => ({
  folder: FOLDER,
  name: 'direct',
  setting: { node: { instance_info: IMAGE_FIELDS } },
  refused: { 'a node without image': { node: {} } },
}))
