# SPDX-License-Identifier: Apache-2.0

"""The stand-in for Glance: an object for Nova, HTTP for the command line."""

from __future__ import annotations

import copy
from typing import Any
import uuid

from nova import exception
import nova.image.glance
from oslo_utils import timeutils

from tests.cloud import web

NAMESPACE = uuid.UUID('6ba7b811-9dad-11d1-80b4-00c04fd430c8')
_PLAIN = (
    'id',
    'name',
    'status',
    'min_ram',
    'min_disk',
    'size',
    'container_format',
    'disk_format',
    'protected',
    'checksum',
)


def image_id(name: str) -> str:
    return str(uuid.uuid5(NAMESPACE, name))


class Images:
    """Nova's image service interface, in memory."""

    def __init__(self) -> None:
        self._images: dict[str, dict[str, Any]] = {}
        self.reset()

    def reset(self) -> None:
        """Have no images but those of every cloud."""
        self._images.clear()
        for name in ('cirros', 'debian-12'):
            self.create(None, {'id': image_id(name), 'name': name})

    def install(self) -> None:
        """Become the image service of this process's Nova."""
        nova.image.glance.get_default_image_service = lambda: self
        nova.image.glance.get_remote_image_service = lambda context, href: (
            self,
            href,
        )

    def create(self, context, image_meta, data=None):
        now = timeutils.utcnow(with_timezone=True)
        image = {
            'name': '',
            'status': 'active',
            'min_ram': 0,
            'min_disk': 0,
            'size': 74185822,
            'container_format': 'bare',
            'disk_format': 'raw',
            'is_public': True,
            'properties': {},
            'checksum': 'x',
            'created_at': now,
            'updated_at': now,
            'deleted': False,
            'deleted_at': None,
            'protected': False,
        }
        given = copy.deepcopy(image_meta)
        image.update((k, v) for k, v in given.items() if v is not None)
        image['id'] = str(image.get('id') or uuid.uuid4())
        image['min_disk'] = int(image['min_disk'])
        if context:
            image['properties'].setdefault('owner', context.project_id)
        self._images[image['id']] = image
        return copy.deepcopy(image)

    def count(self) -> int:
        return len(self._images)

    def _get(self, image_id):
        if str(image_id) not in self._images:
            raise exception.ImageNotFound(image_id=image_id)
        return self._images[str(image_id)]

    def show(
        self, context, image_id, include_locations=False, show_deleted=True
    ):
        return copy.deepcopy(self._get(image_id))

    def detail(self, context, **kwargs):
        return copy.deepcopy(list(self._images.values()))

    def update(
        self, context, image_id, metadata, data=None, purge_props=False
    ):
        image = self._get(image_id)
        new = copy.deepcopy(metadata)
        properties = new.pop('properties', {})
        if purge_props:
            image['properties'] = properties
        else:
            image['properties'].update(properties)
        image.update(new)
        return copy.deepcopy(image)

    def delete(self, context, image_id):
        self._get(image_id)
        del self._images[str(image_id)]

    def download(
        self, context, image_id, data=None, dst_path=None, trusted_certs=None
    ):
        self._get(image_id)

    def get_location(self, context, image_id):
        return None

    # HTTP: as much as "openstack server list" and "server create" ask for

    def routes(self, url: str) -> list[tuple[str, str, web.Handler]]:
        """:param url: where /v2/ is to be found."""
        versions = {
            'versions': [
                {
                    'id': f'v2.{minor}',
                    'status': 'CURRENT' if minor == 9 else 'SUPPORTED',
                    'links': [{'rel': 'self', 'href': url + '/v2/'}],
                }
                for minor in (9, 7, 6, 5, 4, 3, 2, 1, 0)
            ]
        }

        def discover(match, query, body):
            return 300, versions

        return [
            ('GET', '/image', discover),
            ('GET', '/image/versions', discover),
            ('GET', '/image/v2', discover),
            ('GET', '/image/v2/images', self._list),
            ('GET', '/image/v2/images/([^/]+)', self._one),
        ]

    def _list(self, match, query, body):
        images = list(self._images.values())
        if 'name' in query:
            images = [i for i in images if i['name'] == query['name'][0]]
        if 'id' in query:
            wanted = query['id'][0].removeprefix('in:').split(',')
            images = [i for i in images if i['id'] in wanted]
        if 'marker' in query:
            images = []
        return 200, {
            'images': [self._show(image) for image in images],
            'schema': '',
            'first': '/v2/images',
        }

    def _one(self, match, query, body):
        image = self._images.get(match.group(1))
        return (200, self._show(image)) if image else (404, {})

    @staticmethod
    def _show(image):
        shown = {key: image[key] for key in _PLAIN}
        for key in ('created_at', 'updated_at'):
            shown[key] = str(image[key])[:19].replace(' ', 'T') + 'Z'
        shown.update(
            visibility='public',
            tags=[],
            os_hidden=False,
            owner=image['properties'].get('owner'),
            schema='/v2/schemas/image',
            self='/v2/images/' + image['id'],
            file=f'/v2/images/{image["id"]}/file',
        )
        for key, value in image['properties'].items():
            shown.setdefault(key, value if value is None else str(value))
        return shown
