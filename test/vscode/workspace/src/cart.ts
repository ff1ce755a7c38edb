import { findProduct } from './product';
import type { Product } from './product';

export interface CartItem {
  product: Product;
  quantity: number;
}

export class Cart {
  private items: CartItem[] = [];

  add(id: string, quantity = 1): void {
    const product = findProduct(id);
    if (product === undefined) {
      throw new Error(`no product ${id}`);
    }
    const item = this.items.find((candidate) => candidate.product.id === id);
    if (item) {
      item.quantity += quantity;
    } else {
      this.items.push({ product, quantity });
    }
  }

  remove(id: string): void {
    this.items = this.items.filter((item) => item.product.id !== id);
  }

  /** The sum of all items, in cents. */
  total(): number {
    return this.items.reduce((sum, item) => sum + item.product.price * item.quantity, 0);
  }
}
