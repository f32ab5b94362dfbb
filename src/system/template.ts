// Renders a template's {{names}}; a name without a value, or a value without a name, is a defect.
export function render(template: string, values: Readonly<Record<string, string>>): string {
  const unused = new Set(Object.keys(values))
  const text = template.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name]
    if (value === undefined) throw new TypeError(`the template names {{${name}}}, which has no value`)
    unused.delete(name)
    return value
  })
  if (unused.size > 0) throw new TypeError(`the template does not use ${[...unused].join(', ')}`)
  return text
}
