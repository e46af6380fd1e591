"""Pictures in and out: videos, cameras, images and shots; never imports Keras."""
