// What both programs need.
import { readFileSync } from "node:fs"

// A link without a message for so long has nothing left to carry, in milliseconds.
const QUIET = 3000

// The resources of a bundle by `Type/id`, and the JSON text of each element.
export function chart(line) {
  const resources = {}
  for (const { resource } of JSON.parse(line).entry) {
    const elements = Object.entries(resource).map(([name, value]) => [name, JSON.stringify(value)])
    resources[`${resource.resourceType}/${resource.id}`] = Object.fromEntries(elements)
  }
  return resources
}

// The largest resident memory of this process so far, in bytes.
export function mostResident() {
  const line = readFileSync("/proc/self/status", "utf8").match(/VmHWM:\s+(\d+)/)
  return Number(line[1]) * 1024
}

export function print(row, figures) {
  console.log(JSON.stringify({ row, figures }))
}

// Waits until no message has come over a wire for a while.
export async function quiet(wire) {
  while (performance.now() - wire.last < QUIET) {
    await new Promise(done => setTimeout(done, 100))
  }
}
