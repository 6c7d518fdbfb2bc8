# SPDX-License-Identifier: Apache-2.0

import hypothesis
from hypothesis import strategies

from osc_hostmaint.notifications import url as urls
from tests import unit


class TestUrl(unit.TestCase):
    @unit.cases(
        ('http://cmdb', 'http://cmdb/', None, 'http://cmdb'),
        ('https://cmdb:443/a?b=c', None, None, 'https://cmdb'),
        ('https://cmdb:8443/a', None, None, 'https://cmdb:8443'),
        ('HTTPS://CMDB/A', 'https://cmdb/A', None, 'https://cmdb'),
        ('http://[::1]:80/', None, None, 'http://[::1]'),
        (
            'https://me:p%40ss@cmdb/hook#x',
            'https://cmdb/hook',
            ('me', 'p@ss'),
            'https://cmdb',
        ),
        (
            'https://a:%FF@cmdb/',
            'https://cmdb/',
            ('a', '\udcff'),
            'https://cmdb',
        ),
        ('https://token@cmdb/', 'https://cmdb/', ('token', ''), None),
    )
    def test_url(self, url, bare, credentials, origin):
        self.assertEqual((bare or url, credentials), urls.split(url))
        self.assertEqual(origin or 'https://cmdb', urls.origin(url))

    @unit.cases(
        *('', 'cmdb', 'ftp://me:secret@cmdb', 'file:///etc/passwd', 'http:'),
        *('http://', 'http://me:secret@', 'http://[me:secret@cmdb'),
        *('http://me:secret@cmdb:99999', 'http://cmdb:secret', '//cmdb'),
        *(
            'http://cm\ndb/secret',
            'http://cmdb/ secret',
            'http://a/\x1bsecret',
        ),
    )
    def test_refused_without_a_word_of_it(self, url):
        with self.assertRaises(ValueError) as caught:
            urls.split(url)
        self.assertNotIn('secret', str(caught.exception))

    @hypothesis.given(strategies.text())
    def test_any_text(self, text):
        try:
            bare, _user = urls.split(f'https://{text}')
        except ValueError:
            return
        self.assertTrue(bare.startswith(urls.origin(bare)), bare)
        self.assertNotIn('@', urls.origin(bare))
