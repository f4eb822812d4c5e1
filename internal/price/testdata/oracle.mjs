// Prices calls with the reference implementation, for TestCostEqualsTheReference.
// node oracle.mjs PACKAGE_FOLDER TABLE < cases.json > results.json
import { readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'

const [folder, table] = process.argv.slice(2)
const { calcPrice, updatePrices, waitForUpdate } = await import(pathToFileURL(join(folder, 'dist', 'index.js')).href)
updatePrices(({ setProviderData }) => setProviderData(JSON.parse(readFileSync(table, 'utf8'))))
await waitForUpdate()

const results = JSON.parse(readFileSync(0, 'utf8')).map(({ provider, model, url, time, usage }) => {
  try {
    const r = calcPrice(usage, model, {
      providerId: provider || undefined,
      providerApiUrl: url || undefined,
      timestamp: new Date(time),
    })
    if (!r) return { found: false }
    return {
      found: true, provider: r.provider.id, model: r.model.id,
      total: r.total_price, input: r.input_price, output: r.output_price,
    }
  } catch (e) {
    return { error: e.message }
  }
})
writeFileSync(1, JSON.stringify(results))
