/** Something that can be bought. Prices are in cents. */
export interface Product {
  id: string;
  name: string;
  price: number;
  tags: string[];
}

export const products: Product[] = [
  { id: 'tea', name: 'Green tea', price: 450, tags: ['drink', 'hot'] },
  { id: 'bun', name: 'Cinnamon bun', price: 320, tags: ['food'] },
  { id: 'juice', name: 'Apple juice', price: 390, tags: ['drink', 'cold'] },
];

export function findProduct(id: string): Product | undefined {
  return products.find((product) => product.id === id);
}

export function withTag(tag: string): Product[] {
  return products.filter((product) => product.tags.includes(tag));
}
