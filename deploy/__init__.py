"""What a cluster needs to run the platform: resource definitions, manifests, images, and what makes them."""
